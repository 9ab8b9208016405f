"""Running messages through an executor in memory, and looking at what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from blockfold import Block, Limits, Machine, Message
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryMachines,
    MemoryObjectStore,
    MemoryStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.execute import Executor, Folded
from blockfold.application.read import Reader
from blockfold.domain.canonical import Canonical, Json, decode

MACHINE = "m"
NEVER = 1e12


@dataclass(slots=True)
class StepClock:
    """A clock that goes on by one second whenever it is looked at."""

    seconds: float = 0.0

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(slots=True)
class Ports:
    """The stores of one stack, in memory."""

    log: MemoryBlockLog = field(default_factory=MemoryBlockLog)
    table: MemoryStateTable = field(default_factory=MemoryStateTable)
    machines: MemoryMachines = field(default_factory=MemoryMachines)
    snapshots: ObjectSnapshots = field(default_factory=lambda: ObjectSnapshots(MemoryObjectStore()))

    def executor(self, machine: Machine, limits: Limits | None = None) -> Executor:
        """A cold executor on these stores."""
        return Executor(
            machine=machine,
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self.snapshots,
            clock=StepClock(),
            limits=limits or Limits(),
        )

    def reader(self) -> Reader:
        """A reader of these stores."""
        return Reader(self.log, self.table, self.machines, self.snapshots)

    def blocks(self) -> list[Block]:
        """The log."""
        return list(self.log.read(MACHINE, 1))

    def stored(self) -> dict[str, Json]:
        """The state table's contents, without tombstones."""
        return {
            row.key: decode(row.value) for row in self.table.scan(MACHINE) if row.value is not None
        }


def fold_all(
    executor: Executor, messages: Sequence[Message], batch: int = 10, *, deadline: float = NEVER
) -> list[Folded]:
    """Deliver messages as the queue does, batch by batch, each again until it is done."""
    results: list[Folded] = []
    left = list(messages)
    while left:
        folded = executor.fold(MACHINE, left[:batch], deadline=deadline)
        assert folded.error is None
        results.append(folded)
        left = [each for each in left if each.id not in folded.done]
    return results


def history(
    machine: Machine, batches: Sequence[Sequence[Message]], limits: Limits | None = None
) -> Ports:
    """The stores after these batches."""
    ports = Ports()
    executor = ports.executor(machine, limits)
    for batch in batches:
        fold_all(executor, batch, len(batch))
    return ports


def recorded(blocks: Sequence[Block]) -> Iterator[tuple[str, int]]:
    """Message id and position of each action in the log, in the log's order."""
    for block in blocks:
        for message, index, _ in block.body.actions:
            yield message.id, message.first + index


def decoded(entries: dict[str, Canonical]) -> dict[str, Json]:
    """Entries with their values as Python objects."""
    return {key: decode(value) for key, value in entries.items()}
