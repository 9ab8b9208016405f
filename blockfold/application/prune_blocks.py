"""Which blocks may leave the table, and letting go of them.

A block leaves only if it stands in the archive, was flushed, and a snapshot at or above it was read
whole. It is marked, and DynamoDB deletes it a day later or more: for so long its number stays
taken, whatever an executor with an old cache still tries.

What happens if the process dies: after reading the snapshot, ``verified`` was not raised and it is
read again; after marking some blocks, ``pruned`` was not raised and they are marked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blockfold.application.history import check_snapshot
from blockfold.domain.errors import Corrupted
from blockfold.domain.retention import DAY
from blockfold.domain.segments import Segment, gaps
from blockfold.ports import BlockLog, Clock, MachineRecord, Machines, SnapshotStore

NEWEST_STAY = 10
"""So many of the newest blocks always stay. The newest one tells the executor where to go on: a
machine without any block would begin anew. The others let it be read and restored at its head
without the archive."""

STAYS = DAY * 1000
"""Milliseconds that a marked block stays: an executor trusts its cache for four minutes, and AWS
takes no request that was signed more than 15 minutes ago."""

MARKED_AT_ONCE = 500
"""Blocks between two looks at the clock."""

ROWS_AT_ONCE = 1_000
"""Entries of a snapshot that are read between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Which blocks may leave the table.

    Attributes:
        first: The first; above ``last`` if there is none.
        last: The last.
        reason: Why not more.
    """

    first: int
    last: int
    reason: str

    @property
    def count(self) -> int:
        """How many."""
        return max(0, self.last - self.first + 1)


def prunable(
    log: BlockLog,
    record: MachineRecord,
    head: int,
    snapshot: int,
    segments: Sequence[Segment],
    now: int,
) -> Blocks:
    """The blocks that may be marked now, as long as the newest snapshot proves right.

    Args:
        log: The table alone, without the archive.
        record: The machine.
        head: Its newest block.
        snapshot: Its newest snapshot; 0 if there is none.
        segments: Its archive.
        now: Milliseconds since 1970 UTC.
    """
    first, retention = record.pruned + 1, record.retention
    if retention.keeps_blocks:
        return Blocks(first, first - 1, "all blocks are kept in the table")
    if record.flushed > head:  # what the record says then is no block's number
        return Blocks(first, first - 1, "the machine is being rebuilt or deleted")
    limits = [
        (head - NEWEST_STAY, f"the newest {NEWEST_STAY} blocks always stay"),
        (record.archived, f"blocks after {record.archived} are not known to be archived"),
        (record.flushed, f"blocks after {record.flushed} are not flushed"),
        (snapshot, f"there is no snapshot after block {snapshot}"),
    ]
    if retention.blocks is not None:
        limits.append((head - retention.blocks, f"the newest {retention.blocks:,} blocks are kept"))
    last, reason = min(limits)
    if retention.days is not None and last >= first:
        old = _last_before(log, record.machine, first, last, now + STAYS - retention.days * STAYS)
        if old < last:
            last, reason = old, f"blocks younger than {retention.days:,} days are kept"
    if (gap := next(gaps(segments, first, last), None)) is not None:
        last, reason = gap[0] - 1, f"block {gap[0]} is in no segment of the archive"
    return Blocks(first, max(last, first - 1), reason)


def _last_before(log: BlockLog, machine: str, low: int, high: int, time: int) -> int:
    """The newest block at or before a time, by binary search: block times never go back.

    A block that is gone was old enough for someone else before.
    """
    found = low - 1
    while low <= high:
        middle = (low + high) // 2
        block = log.get(machine, middle)
        if block is None or block.header.time <= time:
            found, low = middle, middle + 1
        else:
            high = middle - 1
    return found


def read_whole(
    log: BlockLog,
    machines: Machines,
    snapshots: SnapshotStore,
    clock: Clock,
    record: MachineRecord,
    number: int,
    *,
    deadline: float,
) -> bool:
    """Prove the newest snapshot, unless that was done before; False if time ran out.

    Raises:
        Corrupted: It is damaged, or of another block than the log's.
    """
    if record.verified == number:
        return True
    manifest = snapshots.get(record.machine, number)
    block = log.get(record.machine, number)
    if manifest is None or block is None:
        what = "the snapshot" if manifest is None else "the block"
        raise Corrupted(f"{what} of block {number} of machine {record.machine!r} is gone")
    check_snapshot(manifest, block)
    for position, _ in enumerate(snapshots.entries(manifest)):
        if position % ROWS_AT_ONCE == 0 and clock.monotonic() >= deadline:
            return False
    machines.raise_watermark(record.machine, "verified", number)
    return True


def mark(
    log: BlockLog,
    machines: Machines,
    clock: Clock,
    machine: str,
    blocks: Blocks,
    *,
    deadline: float,
) -> int:
    """Let go of blocks, and note it; the last that was marked.

    Raises:
        Unavailable: Some were not marked; the next call marks them.
    """
    done = blocks.first - 1
    while done < blocks.last and clock.monotonic() < deadline:
        last = min(blocks.last, done + MARKED_AT_ONCE)
        log.expire(machine, done + 1, last, clock.now() + STAYS)
        machines.raise_watermark(machine, "pruned", last)
        done = last
    return done
