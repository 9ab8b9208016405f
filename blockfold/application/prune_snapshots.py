"""Which snapshots are no longer kept, and letting go of them.

A snapshot that is removed leaves a copy of its manifest for a day: its runs become garbage after
that. Nothing is lost by it, for any block is read from an older snapshot and the log.

What happens if the process dies: before a snapshot is removed, ``thinned`` says so, lest `verify`
miss it, and it is removed next time; copied and not yet removed, it is copied once more then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blockfold.application.collect import Named
from blockfold.application.side_by_side import side_by_side
from blockfold.domain.retention import Retention, retired
from blockfold.ports import Machines, SnapshotStore


def superfluous(named: Named, retention: Retention, head: int, now: int) -> list[int]:
    """Numbers of the snapshots that are no longer kept, lowest first.

    If not all manifests were read, those that were are judged among themselves: among fewer, none
    is let go that would stay among all, for only newer ones can take its place. What is older than
    all of them goes if so many newer ones are kept and no tier reaches back to the oldest of them:
    block times never go back. What else was not read stays.

    Args:
        named: What the manifests say, as far as they were read.
        retention: What is kept.
        head: The newest block. What is above it is not of this history, and no reason to let go
            of what is.
        now: Milliseconds since 1970 UTC.
    """
    known = sorted((number, time) for number, time in named.times.items() if number <= head)
    gone = retired(known, retention, now)
    if named.whole or retention.snapshots is None or len(known) < max(1, retention.snapshots):
        return gone
    oldest, time = known[0]
    if any(now - time <= tier.span * 1000 for tier in retention.thin):
        return gone
    return [*(number for number in named.listed if number < oldest), *gone]


def retire(
    machines: Machines,
    snapshots: SnapshotStore,
    machine: str,
    numbers: Sequence[int],
    in_time: Callable[[], bool],
    *,
    lanes: int,
) -> list[int]:
    """Remove snapshots, several at once and as many as there is time for; which.

    Args:
        machines: The register.
        snapshots: The snapshots.
        machine: The machine's id.
        numbers: Their blocks, lowest first.
        in_time: Whether there is time to remove another one.
        lanes: How many are removed at once.

    Raises:
        Corrupted: One of them is damaged; it stays, and so do those after it.
    """
    gone: list[int] = []

    def remove(number: int) -> None:
        if (manifest := snapshots.get(machine, number)) is not None:
            snapshots.retire(manifest)
            gone.append(number)

    if numbers:
        machines.raise_watermark(machine, "thinned", numbers[-1])
        side_by_side(numbers, remove, in_time, lanes=lanes)
    return sorted(gone)
