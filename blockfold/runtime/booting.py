"""Start a machine from what its recorder has: the newest snapshot, the log behind it, or nothing.

Nothing is written to the recorder. What happens if the process dies: the next start does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.rebuild import archived_head
from blockfold.domain.errors import Corrupted
from blockfold.domain.schedule import Schedule
from blockfold.ports import Clock, MachineRecord, Write
from blockfold.recorders.protocol import KeepsLog, ListsSnapshots, LoadsSnapshots
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.stores import Stores, logger

Source = Literal["genesis", "snapshot", "log"]


@dataclass(frozen=True, slots=True)
class Booted:
    """What a machine was started from.

    Attributes:
        source: ``genesis``: nothing was recorded; ``snapshot``; or ``log``: blocks were recorded
            and no snapshot that could be used.
        snapshot: The block of the snapshot; None without one.
        blocks: Blocks that were laid over it.
        first: The oldest block whose state can be read: 0, or that of the snapshot if the
            recorder keeps no blocks.
        passed: Snapshots that were damaged and passed over, newest first.
    """

    source: Source
    snapshot: int | None = None
    blocks: int = 0
    first: int = 0
    passed: tuple[int, ...] = ()

    def __str__(self) -> str:
        """In words."""
        told = {
            "genesis": "from genesis",
            "snapshot": f"from the snapshot of block {self.snapshot} and {self.blocks} blocks",
            "log": f"from {self.blocks} blocks, without a snapshot",
        }[self.source]
        if self.passed:
            told += f"; damaged snapshots were passed over: {', '.join(map(str, self.passed))}"
        return told


def boot(machine: str, recorder: object, clock: Clock, schedule: Schedule) -> tuple[Stores, Booted]:
    """Stores that hold what a recorder kept; the table may be behind the log.

    Args:
        machine: The machine's id.
        recorder: The recorder.
        clock: Time.
        schedule: The dumper schedule, if none was kept.

    Raises:
        Corrupted: What is kept is damaged, and there is nothing else to start from.
        Unavailable: It could not be read.
    """
    stores, booted = (
        _boot_log(machine, recorder, clock, schedule)
        if isinstance(recorder, KeepsLog)
        else _boot_snapshot(machine, recorder, clock, schedule)
    )
    logger.info("machine %s starts %s", machine, booted)
    return stores, booted


def _boot_log(
    machine: str, recorder: KeepsLog, clock: Clock, schedule: Schedule
) -> tuple[Stores, Booted]:
    """From a store that holds everything."""
    stores = Stores.new(machine, recorder.objects, clock, archived=True)
    assert stores.archive is not None, "it was asked for"
    head = archived_head(stores.archive, machine)
    kept = KeptSettings(recorder.objects).newest(machine)
    record = MachineRecord(machine, schedule=schedule)
    if kept is not None:
        record = MachineRecord(
            machine, schedule=Schedule(kept.schedule), retention=kept.retention,
            revision=kept.revision,
        )  # fmt: skip
    if head is None:
        stores.machines.put(record)
        return stores, Booted("genesis")
    stores.live.append(head)
    snapshot, passed = _newest_sound(stores, recorder)
    number = snapshot.number if snapshot else 0
    if snapshot is not None:
        _fill(stores, snapshot)
    taken = [each for each in stores.snapshots.numbers(machine) if record.schedule.due(each)]
    stores.machines.put(
        MachineRecord(
            machine,
            epoch=head.header.epoch,
            flushed=number,
            dumped=max((each for each in taken if each <= head.number), default=0),
            newest=number,
            schedule=record.schedule,
            retention=record.retention,
            revision=record.revision,
        )
    )
    return stores, Booted(
        "snapshot" if snapshot else "log",
        number or None,
        head.number - number,
        passed=passed,
    )


def _boot_snapshot(
    machine: str, recorder: object, clock: Clock, schedule: Schedule
) -> tuple[Stores, Booted]:
    """From the newest snapshot of a recorder that keeps nothing else."""
    stores = Stores.new(machine, MemoryObjectStore(clock.now), clock, archived=False)
    snapshot = recorder.load_snapshot() if isinstance(recorder, LoadsSnapshots) else None
    if snapshot is None:
        stores.machines.put(MachineRecord(machine, schedule=schedule))
        return stores, Booted("genesis")
    _check_machine(machine, snapshot.checked())
    number = snapshot.number
    stores.live.append(snapshot.block)
    stores.snapshots.save(snapshot.block, sorted(snapshot.entries.items()))
    _fill(stores, snapshot)
    epoch = snapshot.block.header.epoch
    stores.machines.put(
        MachineRecord(machine, epoch=epoch, flushed=number, dumped=number, schedule=schedule)
    )
    return stores, Booted("snapshot", number, first=number)


def _newest_sound(stores: Stores, recorder: KeepsLog) -> tuple[Snapshot | None, tuple[int, ...]]:
    """The newest snapshot that is no damage and of the log's history; and those passed over."""
    passed: list[int] = []
    for number, load in _candidates(stores, recorder):
        try:
            snapshot = load()
            if snapshot is None:
                continue
            _check_machine(stores.machine, snapshot)
            block = stores.log.get(stores.machine, snapshot.number)
            if block is None or block.hash != snapshot.block.hash:
                raise Corrupted(f"the snapshot of block {number} is of no block of the log")
        except Corrupted as error:
            logger.warning("a damaged snapshot was passed over: %s", error)
            passed.append(number)
        else:
            return snapshot, tuple(passed)
    return None, tuple(passed)


def _candidates(
    stores: Stores, recorder: KeepsLog
) -> Iterator[tuple[int, Callable[[], Snapshot | None]]]:
    """Snapshots newest first, each with the call that reads it."""
    if not isinstance(recorder, LoadsSnapshots):
        return
    numbers = (
        recorder.get_snapshots()
        if isinstance(recorder, ListsSnapshots)
        else stores.snapshots.numbers(stores.machine)
    )
    for number in sorted(numbers, reverse=True):
        if number <= stores.head:
            yield number, lambda number=number: recorder.load_snapshot(number)  # type: ignore[misc]


def _fill(stores: Stores, snapshot: Snapshot) -> None:
    """Put a state into the empty table."""
    number = snapshot.number
    writes = [Write(key, value, number, new=True) for key, value in snapshot.entries.items()]
    stores.table.write(stores.machine, writes)


def _check_machine(machine: str, snapshot: Snapshot) -> None:
    if snapshot.machine != machine:
        raise Corrupted(
            f"the recorder of machine {machine!r} gave a snapshot of {snapshot.machine!r}",
            hint="start another machine from it: Runtime(…, start=snapshot)",
        )
