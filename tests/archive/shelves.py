"""Chains of blocks, a table that loses some of them, and an archive, all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from blockfold import Block
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines, MemoryObjectStore
from blockfold.application.certify import PATIENCE
from blockfold.application.compact import Compaction, Compactor
from blockfold.application.ship import Shipper
from blockfold.domain.block import Head
from blockfold.domain.segments import Segment, cover
from tests.contracts.samples import block_after, noise
from tests.faults import Faults, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import HandClock, Stack

LONG = 10**15
"""Milliseconds after which all blocks are old."""


def chain_of(length: int, *, machine: str = MACHINE, size: int = 0, epoch: int = 0) -> list[Block]:
    """Blocks 1 … length, the body of each a little longer than ``size``."""
    return grown(Head(machine=machine, epoch=epoch), length, size=size)


def grown(head: Head, count: int, *, size: int = 0, message: str = "m1") -> list[Block]:
    """So many blocks on top of a head; another message makes them other blocks."""
    blocks = []
    for _ in range(count):
        block = block_after(head, noise(size, head.number + 1), message=message)
        blocks.append(block)
        head = block.head
    return blocks


def in_epoch(block: Block, epoch: int) -> Head:
    """What blocks of a later epoch build on."""
    return structs.replace(block.head, epoch=epoch)


@dataclass
class Shelves:
    """What outlives every process.

    Attributes:
        part: Bytes after which a segment is closed.
    """

    log: MemoryBlockLog = field(default_factory=MemoryBlockLog)
    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    machines: MemoryMachines = field(default_factory=MemoryMachines)
    clock: HandClock = field(default_factory=HandClock)
    part: int = 8 * 1024 * 1024

    def __post_init__(self) -> None:
        self.objects.now = self.clock.now

    def commit(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self.log.append(block)
            self.machines.register(block.machine)

    def archive(self, faults: Faults | None = None) -> ObjectArchive:
        return ObjectArchive(faulty("objects", self.objects, faults or Faults()), part=self.part)

    def whole(self, faults: Faults | None = None) -> ArchivedBlockLog:
        """The log as its readers see it, in a new process."""
        return ArchivedBlockLog(self.log, self.archive(faults), monotonic=lambda: 0.0)

    def shipper(self, faults: Faults | None = None) -> Shipper:
        return Shipper(self.archive(faults))

    def ship(self, *batches: Sequence[Block]) -> None:
        for batch in batches:
            assert self.shipper().ship(batch).failed == []

    def compactor(self, faults: Faults | None = None) -> Compactor:
        faults = faults or Faults()
        return Compactor(
            faulty("log", self.log, faults),
            self.archive(faults),
            faulty("machines", self.machines, faults),
            self.clock,
        )

    def compact(self, *, upto_head: bool = False, machine: str = MACHINE) -> Compaction:
        return self.compactor().compact(machine, deadline=NEVER, upto_head=upto_head)

    def wait(self) -> None:
        """Let time pass until everything is overdue."""
        self.clock.milliseconds += PATIENCE + 1

    def drop(self, *numbers: int, machine: str = MACHINE) -> None:
        """Let blocks leave the table."""
        for number in numbers:
            self.log.expire(machine, number, number, 0)
        self.log.pass_time(1)

    def prune(self, machine: str = MACHINE) -> None:
        """Let all blocks leave the table that may: what is archived, but for the head."""
        head = self.log.head(machine)
        record = self.machines.get(machine)
        assert head is not None
        assert record is not None
        self.drop(*range(1, min(record.archived, head.number - 1) + 1), machine=machine)

    @property
    def archived(self) -> int:
        record = self.machines.get(MACHINE)
        assert record is not None
        return record.archived

    def segments(self, machine: str = MACHINE) -> list[Segment]:
        return self.archive().segments(machine)

    def path(self, machine: str = MACHINE) -> list[tuple[int, int]]:
        """The pieces that a reader takes."""
        return [(piece.first, piece.last) for piece in cover(self.segments(machine), 1)]

    def hashes(self, first: int = 1, last: int | None = None, machine: str = MACHINE) -> list[str]:
        return [block.hash for block in self.whole().read(machine, first, last)]


def compactor_of(stack: Stack) -> Compactor:
    """The compactor of a whole stack in memory."""
    return Compactor(stack.log, ObjectArchive(stack.objects), stack.machines, stack.clock)


def hashes(blocks: Iterable[Block]) -> list[str]:
    return [block.hash for block in blocks]
