"""Recording in memory: the default, for tests and notebooks."""

from __future__ import annotations

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.ports import ObjectStore
from blockfold.recorders.object_recorder import ObjectRecorder
from blockfold.recorders.quiet import TimedClock


class MemoryRecorder(ObjectRecorder):
    """Keeps log and snapshots as long as it is kept itself.

    By default snapshots are made only when they are asked for, and when it is closed: there is
    nothing to lose by waiting.

    Args:
        machine: The machine's id.
        objects: Where they are kept; a store of its own if None. Several machines may share one.
        quiet: Seconds without a dispatch after which a snapshot is made; None makes none.
        most: Seconds after which one is made however much is dispatched.
        clock: Time and timers.
    """

    def __init__(
        self,
        machine: str,
        *,
        objects: ObjectStore | None = None,
        quiet: float | None = None,
        most: float | None = None,
        clock: TimedClock | None = None,
    ) -> None:
        objects = MemoryObjectStore() if objects is None else objects
        super().__init__(machine, objects, quiet=quiet, most=most, clock=clock, lasting=False)
