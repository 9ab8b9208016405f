"""Every port in memory: for tests, notebooks and machines that need no persistence.

Real adapters, not mocks: the contract suite that holds for AWS holds for them.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

from blockfold.domain.block import Block
from blockfold.domain.errors import BlockConflict
from blockfold.domain.retention import Retention
from blockfold.domain.schedule import OFF, Schedule
from blockfold.ports import (
    Announcement,
    Check,
    MachineRecord,
    Restoring,
    Row,
    Stored,
    Watermark,
    Write,
)

PAGE = 200
"""Rows that a read takes at once: whoever stops early has not paid for the rest."""

FEW = 100
"""Up to so many new keys are put in their places one by one; more are sorted in."""


def _now() -> int:
    return time.time_ns() // 1_000_000


class MemoryBlockLog:
    """A `BlockLog` in memory.

    Attributes:
        expiring: When marked blocks are deleted: (machine, number) → milliseconds since 1970 UTC.
            Time passes only by `pass_time`.
    """

    def __init__(self) -> None:
        self.expiring: dict[tuple[str, int], int] = {}
        self._blocks: dict[str, dict[int, Block]] = {}
        self._heads: dict[str, int] = {}
        self._lock = RLock()

    def append(self, block: Block) -> None:
        """See `BlockLog.append`."""
        with self._lock:
            holder = self._blocks.setdefault(block.machine, {}).setdefault(block.number, block)
            self._heads[block.machine] = max(block.number, self._heads.get(block.machine, 0))
        if holder.hash != block.hash:
            raise BlockConflict(holder)

    def head(self, machine: str) -> Block | None:
        """See `BlockLog.head`."""
        with self._lock:
            blocks = self._blocks.get(machine)
            if not blocks:
                return None
            if self._heads.get(machine) not in blocks:  # that one was deleted
                self._heads[machine] = max(blocks)
            return blocks[self._heads[machine]]

    def get(self, machine: str, number: int) -> Block | None:
        """See `BlockLog.get`."""
        return self._blocks.get(machine, {}).get(number)

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """See `BlockLog.read`."""
        for number in self._numbers(machine, first, last):
            if (block := self.get(machine, number)) is not None:
                yield block

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        """See `BlockLog.expire`."""
        with self._lock:
            for number in self._numbers(machine, first, last):
                if self.get(machine, number) is not None:
                    self.expiring[machine, number] = time

    def _numbers(self, machine: str, first: int, last: int | None) -> Iterable[int]:
        """The numbers in a range that may have a block now, in order; no more than there are."""
        with self._lock:
            newest = self.head(machine)
            blocks = self._blocks.get(machine, {})
            end = newest.number if newest else 0
            span = range(max(first, 1), (end if last is None else min(last, end)) + 1)
            if len(span) <= len(blocks):
                return span
            return sorted(number for number in blocks if number in span)

    def erase(self, machine: str) -> int:
        """Forget a machine's blocks; how many it were."""
        with self._lock:
            self._heads.pop(machine, None)
            return len(self._blocks.pop(machine, {}))

    def pass_time(self, now: int) -> None:
        """Delete the blocks whose time is over."""
        with self._lock:
            for (machine, number), time in [*self.expiring.items()]:
                if time <= now:
                    del self._blocks[machine][number], self.expiring[machine, number]


class MemoryStateTable:
    """A `StateTable` in memory. Reads go on from key to key, as those of a service do."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Row]] = {}
        self._keys: dict[str, list[str]] = {}
        self._lock = RLock()

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        """See `StateTable.get`."""
        rows = self._rows.get(machine, {})
        return {key: rows[key] for key in keys if key in rows}

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        """See `StateTable.scan`."""
        rows = self._page(machine, lambda keys: bisect_left(keys, prefix))
        while rows:
            for row in rows:
                if not row.key.startswith(prefix):
                    return
                yield row
            rows = self._above(machine, rows[-1].key)

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        """See `StateTable.between`."""
        while rows := self._above(machine, after):
            for row in rows:
                if row.key > upto:
                    return
                yield row
            after = rows[-1].key

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """See `StateTable.write`."""
        with self._lock:
            rows = self._rows.setdefault(machine, {})
            keys = self._sorted(machine)
            new: list[str] = []
            for write in writes:
                row = rows.get(write.key)
                if row is None:
                    new.append(write.key)
                if row is None or row.block < write.block:
                    rows[write.key] = Row(write.key, write.value, write.block)
            if len(new) <= FEW:
                for key in new:
                    insort(keys, key)
            else:
                keys.extend(new)
                keys.sort()

    def erase(self, machine: str) -> int:
        """Forget a machine's rows; how many it were."""
        with self._lock:
            self._keys.pop(machine, None)
            return len(self._rows.pop(machine, {}))

    def _above(self, machine: str, key: str) -> list[Row]:
        return self._page(machine, lambda keys: bisect_right(keys, key))

    def _page(self, machine: str, start: Callable[[list[str]], int]) -> list[Row]:
        """The next rows from a place among the keys on."""
        with self._lock:
            keys, rows = self._sorted(machine), self._rows.get(machine, {})
            first = start(keys)
            return [rows[key] for key in keys[first : first + PAGE]]

    def _sorted(self, machine: str) -> list[str]:
        """The keys in order; sorted anew if rows were lost."""
        rows = self._rows.get(machine, {})
        if len(self._keys.setdefault(machine, [])) != len(rows):
            self._keys[machine] = sorted(rows)
        return self._keys[machine]


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

    def get_many(self, machines: Collection[str]) -> dict[str, MachineRecord]:
        """See `Machines.get_many`."""
        found = {machine: self.get(machine) for machine in machines}
        return {machine: record for machine, record in found.items() if record is not None}

    def raise_watermark(self, machine: str, name: Watermark, number: int) -> None:
        """See `Machines.raise_watermark`."""
        with self._lock:
            record = self.register(machine)
            if number > getattr(record, name):
                raised: dict[str, Any] = {name: number}
                if name == "flushed":
                    raised["restoring"] = None
                self._records[machine] = replace(record, **raised)

    def note_restored(self, machine: str, number: int, start: str, end: str) -> None:
        """See `Machines.note_restored`."""
        with self._lock:
            record = self.register(machine)
            if record.flushed != number - 1:
                return
            spans = dict(record.restoring.spans if record.restoring else ())
            spans[start] = max(end, spans.get(start, end))
            restoring = Restoring(number, tuple(sorted(spans.items())))
            self._records[machine] = replace(record, restoring=restoring)

    def note_snapshot(self, machine: str, number: int, time: int) -> None:
        """See `Machines.note_snapshot`."""
        with self._lock:
            record = self._records.get(machine)
            if record is not None and number > record.newest:
                self._records[machine] = replace(record, newest=number, noted=time)

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

    def set_retention(self, machine: str, retention: Retention) -> None:
        """See `Machines.set_retention`."""
        with self._lock:
            stored = self.register(machine)
            self._records[machine] = replace(
                stored, retention=retention, revision=stored.revision + 1
            )

    def put(self, record: MachineRecord) -> None:
        """See `Machines.put`."""
        with self._lock:
            self._records[record.machine] = record

    def list(self) -> Iterator[MachineRecord]:
        """See `Machines.list`."""
        return iter(tuple(self._records.values()))

    def erase(self, machine: str) -> None:
        """Forget a machine."""
        with self._lock:
            self._records.pop(machine, None)


class MemoryObjectStore:
    """An `ObjectStore` in memory.

    Attributes:
        now: Tells the time for the objects' age, milliseconds since 1970 UTC.
    """

    def __init__(self, now: Callable[[], int] = _now) -> None:
        self.now = now
        self._objects: dict[str, bytes] = {}
        self._modified: dict[str, int] = {}
        self._lock = RLock()

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        with self._lock:
            taken = key in self._objects
            if not taken:
                self.replace(key, data)
        return not taken

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        return self._objects.get(key)

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        with self._lock:
            data = self._objects.get(key)
            return None if data is None else Stored(key, len(data), self._modified.get(key, 0))

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        keys = sorted(key for key in tuple(self._objects) if key.startswith(prefix))
        return iter([found for key in keys if (found := self.stat(key)) is not None])

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        rest = (each.key.removeprefix(prefix) for each in self.list(prefix))
        return iter(sorted({each.partition("/")[0] for each in rest if "/" in each}))

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace`."""
        with self._lock:
            self._objects[key] = data
            self._modified[key] = self.now()

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore.delete`."""
        with self._lock:
            for key in keys:
                self._objects.pop(key, None)
                self._modified.pop(key, None)


class MemoryEventBus:
    """An `EventBus` that keeps what was published, in order, in ``published``."""

    def __init__(self) -> None:
        self.published: list[Announcement] = []

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """See `EventBus.publish`."""
        self.published += announcements


class MemoryEraser:
    """An `Eraser` of stores in memory.

    Args:
        log: The blocks.
        table: The state table.
        machines: The register.
    """

    def __init__(
        self, log: MemoryBlockLog, table: MemoryStateTable, machines: MemoryMachines
    ) -> None:
        self._log = log
        self._table = table
        self._machines = machines

    def erase_state(self, machine: str) -> int:
        """See `Eraser.erase_state`."""
        return self._table.erase(machine)

    def erase_blocks(self, machine: str) -> int:
        """See `Eraser.erase_blocks`."""
        return self._log.erase(machine)

    def erase_record(self, machine: str) -> None:
        """See `Eraser.erase_record`."""
        self._machines.erase(machine)


class MemoryChecks:
    """A `Checks` that keeps what is to be asked, in order, in ``waiting``; time is up to others."""

    def __init__(self) -> None:
        self.waiting: list[Check] = []

    def later(self, checks: Sequence[Check]) -> None:
        """See `Checks.later`."""
        self.waiting += checks
