"""Which block a point of the past means."""

from __future__ import annotations

from blockfold.domain.errors import NotFound
from blockfold.domain.point import AtSnapshot, AtTime, Point
from blockfold.ports import BlockLog, SnapshotStore


def number_at(
    log: BlockLog, snapshots: SnapshotStore, machine: str, point: Point, head: int
) -> int:
    """The number of the block that a point means.

    Args:
        log: The blocks.
        snapshots: The snapshots.
        machine: The machine's id.
        point: A block, a time, or a snapshot.
        head: The machine's newest block.

    Raises:
        NotFound: There is no such block or snapshot, or all blocks are newer than the time.
    """
    if isinstance(point, AtTime):
        return newest_at(log, machine, point.time, head)
    if not 0 <= point.number <= head:
        raise NotFound(
            f"machine {machine!r} has no block {point.number}", hint=f"its blocks are 0 to {head}"
        )
    if isinstance(point, AtSnapshot) and snapshots.get(machine, point.number) is None:
        raise NotFound(
            f"machine {machine!r} has no snapshot of block {point.number}",
            hint=f"name block {point.number} itself: that works without a snapshot",
        )
    return point.number


def newest_at(log: BlockLog, machine: str, time: int, head: int) -> int:
    """The newest block at or before a time, by binary search: block times never go back.

    Args:
        log: The blocks.
        machine: The machine's id.
        time: Milliseconds since 1970 UTC.
        head: The machine's newest block.

    Raises:
        NotFound: The machine had no blocks at that time.
    """
    found, low, high = 0, 1, head
    while low <= high:
        middle = (low + high) // 2
        block = log.get(machine, middle)
        if block is None:
            raise NotFound(f"machine {machine!r} has no block {middle} any more")
        if block.header.time <= time:
            found, low = middle, middle + 1
        else:
            high = middle - 1
    if not found:
        raise NotFound(
            f"machine {machine!r} had no blocks at that time",
            hint="its first block came later: `blockfold blocks` shows the times",
        )
    return found
