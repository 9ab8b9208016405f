"""Every port in memory: for tests, notebooks and machines that need no persistence.

Real adapters, not mocks: the contract suite that holds for AWS holds for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from threading import RLock

from blockfold.domain.block import Block
from blockfold.domain.errors import BlockConflict
from blockfold.domain.schedule import OFF, Schedule
from blockfold.ports import Announcement, MachineRecord, Row, Write


class MemoryBlockLog:
    """A `BlockLog` in memory."""

    def __init__(self) -> None:
        self._blocks: dict[str, dict[int, Block]] = {}
        self._lock = RLock()

    def append(self, block: Block) -> None:
        """See `BlockLog.append`."""
        with self._lock:
            holder = self._blocks.setdefault(block.machine, {}).setdefault(block.number, block)
        if holder.hash != block.hash:
            raise BlockConflict(holder)

    def head(self, machine: str) -> Block | None:
        """See `BlockLog.head`."""
        with self._lock:
            blocks = self._blocks.get(machine)
            return blocks[max(blocks)] if blocks else None

    def get(self, machine: str, number: int) -> Block | None:
        """See `BlockLog.get`."""
        return self._blocks.get(machine, {}).get(number)

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """See `BlockLog.read`."""
        with self._lock:
            blocks = dict(self._blocks.get(machine, {}))
        for number in sorted(blocks):
            if first <= number and (last is None or number <= last):
                yield blocks[number]


class MemoryStateTable:
    """A `StateTable` in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Row]] = {}
        self._lock = RLock()

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        """See `StateTable.get`."""
        rows = self._rows.get(machine, {})
        return {key: rows[key] for key in keys if key in rows}

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        """See `StateTable.scan`."""
        with self._lock:
            rows = dict(self._rows.get(machine, {}))
        return iter([rows[key] for key in sorted(rows) if key.startswith(prefix)])

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """See `StateTable.write`."""
        with self._lock:
            rows = self._rows.setdefault(machine, {})
            for write in writes:
                row = rows.get(write.key)
                if row is None or row.block < write.block:
                    rows[write.key] = Row(write.key, write.value, write.block)


class MemoryMachines:
    """A `Machines` register in memory."""

    def __init__(self) -> None:
        self._records: dict[str, MachineRecord] = {}
        self._lock = RLock()

    def register(self, machine: str, schedule: Schedule = OFF) -> MachineRecord:
        """See `Machines.register`."""
        with self._lock:
            return self._records.setdefault(machine, MachineRecord(machine, schedule=schedule))

    def get(self, machine: str) -> MachineRecord | None:
        """See `Machines.get`."""
        return self._records.get(machine)

    def raise_flushed(self, machine: str, number: int) -> None:
        """See `Machines.raise_flushed`."""
        with self._lock:
            record = self.register(machine)
            if number > record.flushed:
                self._records[machine] = replace(record, flushed=number)

    def raise_dumped(self, record: MachineRecord, number: int) -> None:
        """See `Machines.raise_dumped`."""
        with self._lock:
            stored = self.register(record.machine)
            if stored.revision == record.revision and number > stored.dumped:
                self._records[record.machine] = replace(stored, dumped=number)

    def set_schedule(self, record: MachineRecord, schedule: Schedule) -> bool:
        """See `Machines.set_schedule`."""
        with self._lock:
            stored = self.register(record.machine)
            if (stored.revision, stored.dumped) != (record.revision, record.dumped):
                return False
            self._records[record.machine] = replace(
                stored, schedule=schedule, revision=stored.revision + 1
            )
            return True

    def list(self) -> Iterator[MachineRecord]:
        """See `Machines.list`."""
        return iter(tuple(self._records.values()))


class MemoryObjectStore:
    """An `ObjectStore` in memory."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = RLock()

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        with self._lock:
            taken = key in self._objects
            self._objects.setdefault(key, data)
        return not taken

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        return self._objects.get(key)

    def list(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.list`."""
        return iter(sorted(key for key in tuple(self._objects) if key.startswith(prefix)))


class MemoryEventBus:
    """An `EventBus` that keeps what was published, in order, in ``published``."""

    def __init__(self) -> None:
        self.published: list[Announcement] = []

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """See `EventBus.publish`."""
        self.published += announcements
