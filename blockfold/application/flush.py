"""Bring the state table up to a tail: oldest block first, piece by piece, until time is out.

Safe to stop anywhere: every write is fenced by its block's number, and ``flushed`` rises only
over blocks of which nothing is pending, counters of producers included.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from blockfold.application.tail import Bounds, Tail
from blockfold.ports import Clock, Machines, StateTable, Write


def flush(
    tail: Tail,
    table: StateTable,
    machines: Machines,
    clock: Clock,
    *,
    bounds: Bounds,
    deadline: float,
) -> bool:
    """Write what is pending, a chunk at a time, and raise ``flushed`` as far as that allows.

    Args:
        tail: What to flush; not a stale one.
        table: The state table.
        machines: The register.
        clock: Time.
        bounds: How much makes a chunk.
        deadline: No chunk is begun after it, by the clock's ``monotonic``.

    Returns:
        Whether the table stands at the tail's head.

    Raises:
        Unavailable: A store failed; the chunks before are stored, the rest stays pending.
    """
    machine = tail.head.machine
    while tail.flushed < tail.head.number:
        if clock.monotonic() >= deadline:
            return False
        chunk = tail.oldest(bounds)
        fresh = [write for write in chunk if write.block > tail.opened]
        made_up = [write for write in chunk if write.block <= tail.opened]
        if writes := unstored(machine, table, made_up) + fresh:
            table.write(machine, writes)
        tail.settle(chunk)
        tail.counters.store(tail.reached, bounds.chunk)
        if tail.settled > tail.flushed:
            machines.raise_watermark(machine, "flushed", tail.settled)
            tail.rise(tail.settled)
    return True


def unstored(machine: str, table: StateTable, writes: Sequence[Write]) -> list[Write]:
    """Those writes that are still to be done, told apart by reading their rows.

    A repeated write would be fenced off, but only after it took as long as the first one. What
    one invocation has no time for at all is so done in several.
    """
    rows = table.get(machine, [write.key for write in writes]) if writes else {}
    return [
        replace(write, new=write.key not in rows)
        for write in writes
        if write.key not in rows or rows[write.key].block < write.block
    ]
