"""The adapters in memory, counting what the same calls take on AWS: for estimates of cost.

Each counts what the adapter on AWS would send, by AWS's rules (`blockfold.domain.units`). A test
holds the counts against the requests of the real adapters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from blockfold.adapters.dynamodb.items import INLINE_BYTES, to_item
from blockfold.adapters.dynamodb.machines import record_item
from blockfold.adapters.dynamodb.packing import pack
from blockfold.adapters.dynamodb.values import to_attribute
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryMachines,
    MemoryObjectStore,
    MemoryStateTable,
)
from blockfold.application.cost import Usage
from blockfold.domain.block import Block
from blockfold.domain.canonical import decode
from blockfold.domain.errors import BlockConflict
from blockfold.domain.schedule import OFF, Schedule
from blockfold.domain.units import item_bytes, read_units, write_units
from blockfold.ports import MachineRecord, Row, Stored, Write

PAGE_BYTES = 1024 * 1024
"""What a Query answers at once."""

LISTED = 1_000
"""Keys that a LIST answers at once."""

STATEMENTS = 25
KEYS = 100
"""Of a BatchGetItem."""


class Meter:
    """Adds up what was taken, until somebody asks.

    Attributes:
        total: All since the meter was made.
    """

    def __init__(self) -> None:
        self.total = Usage()
        self._before = Usage()

    def add(self, calls: float = 1, **units: float) -> None:
        """Count requests, with what they take."""
        self.total += Usage(calls=calls, **units)

    def taken(self) -> Usage:
        """What was taken since this was asked last."""
        taken = self.total - self._before
        self._before = self.total
        return taken


class MeteredBlockLog(MemoryBlockLog):
    """A log that counts.

    Args:
        meter: Where to.

    Attributes:
        bytes: The items of the blocks.
        spilled: Blocks with a body in S3.
        spilled_bytes: Those bodies.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.bytes = self.spilled = self.spilled_bytes = 0
        self._meter = meter
        self._sizes: dict[tuple[str, int], int] = {}
        self._bodies: set[tuple[str, int]] = set()

    def append(self, block: Block) -> None:
        """See `BlockLog.append`: one put, which costs also if it fails; and a large body's."""
        packed = pack(block.payload)
        spills = len(packed) > INLINE_BYTES
        size = item_bytes(to_item(block, None if spills else packed))
        if spills:
            self._meter.add(puts=1)
        name = block.machine, block.number
        is_new = name not in self._sizes
        # A put that fails takes what the item that is there would take.
        self._meter.add(log_units=write_units(self._sizes.get(name, size)))
        if not is_new and (there := self._blocks[block.machine][block.number]).hash != block.hash:
            raise BlockConflict(there)
        super().append(block)
        if is_new:
            self._sizes[name] = size
            self.bytes += size
            if spills:
                self._bodies.add(name)
                self.spilled += 1
                self.spilled_bytes += len(packed)

    def head(self, machine: str) -> Block | None:
        """See `BlockLog.head`: a query for one item."""
        found = super().head(machine)
        self._read([found] if found else [])
        return found

    def get(self, machine: str, number: int) -> Block | None:
        """See `BlockLog.get`."""
        found = super().get(machine, number)
        self._read([found] if found else [])
        return found

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """See `BlockLog.read`: a query, page by page."""
        if last is not None and last < first:
            return
        page: list[Block] = []
        size = 0
        for number in self._numbers_of(machine, first, last):
            if (block := self._blocks[machine].get(number)) is None:
                continue
            page.append(block)
            size += self._sizes[machine, number]
            if size >= PAGE_BYTES:
                self._read(page)
                yield from page
                page, size = [], 0
        self._read(page)
        yield from page

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        """See `BlockLog.expire`: each item is written once more."""
        super().expire(machine, first, last, time)
        for number in self._numbers_of(machine, first, last):
            self._meter.add(log_units=write_units(self._sizes[machine, number]))

    def _numbers_of(self, machine: str, first: int, last: int | None) -> range:
        newest = max(self._blocks.get(machine, {}), default=0)
        return range(max(first, 1), (newest if last is None else min(last, newest)) + 1)

    def _read(self, blocks: Sequence[Block]) -> None:
        names = [(block.machine, block.number) for block in blocks]
        self._meter.add(read_units=read_units(sum(self._sizes[name] for name in names)))
        for name in names:
            if name in self._bodies:
                self._meter.add(gets=1)


class MeteredStateTable(MemoryStateTable):
    """A state table that counts.

    Args:
        meter: Where to.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    @property
    def items(self) -> tuple[int, int]:
        """How many rows there are, and the bytes of their items."""
        sizes = [
            row_bytes(machine, row) for machine, rows in self._rows.items() for row in rows.values()
        ]
        return len(sizes), sum(sizes)

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        """See `StateTable.get`: each key by itself, a hundred a request."""
        rows = super().get(machine, keys)
        units = sum(read_units(row_bytes(machine, rows[key]) if key in rows else 0) for key in keys)
        self._meter.add(-(-len(keys) // KEYS), read_units=units)
        return rows

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        """See `StateTable.scan`; counted as if somebody wanted all rows."""
        rows = list(super().scan(machine, prefix))
        return self._queried(machine, rows)

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        """See `StateTable.between`; counted as `scan` is."""
        return self._queried(machine, list(super().between(machine, after, upto)))

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """See `StateTable.write`: a statement each, and another where the first guess was wrong."""
        there = self._rows.get(machine, {})
        units = wrong = 0
        for write in writes:
            old = there.get(write.key)
            new = Row(write.key, write.value, write.block)
            before = row_bytes(machine, old) if old else 0
            size = max(before, row_bytes(machine, new))
            if write.new != (old is None):
                wrong += 1
                units += write_units(before)
            units += write_units(size)
        self._meter.add(
            -(-len(writes) // STATEMENTS) + -(-wrong // STATEMENTS),
            state_units=units,
            statements=len(writes) + wrong,
        )
        super().write(machine, writes)

    def _queried(self, machine: str, rows: list[Row]) -> Iterator[Row]:
        size = sum(row_bytes(machine, row) for row in rows)
        self._meter.add(max(1, -(-size // PAGE_BYTES)), read_units=read_units(size))
        return iter(rows)


class MeteredMachines(MemoryMachines):
    """A register that counts.

    Args:
        meter: Where to.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def register(self, machine: str, schedule: Schedule = OFF) -> MachineRecord:
        """See `Machines.register`; here, the other updates pass through it, and are counted."""
        self._written(machine)
        return super().register(machine, schedule)

    def get(self, machine: str) -> MachineRecord | None:
        """See `Machines.get`."""
        found = super().get(machine)
        self._meter.add(read_units=read_units(self.size(machine)))
        return found

    def list(self) -> Iterator[MachineRecord]:
        """See `Machines.list`: an eventually consistent scan, at half the price."""
        size = sum(self.size(name) for name in self._records)
        self._meter.add(max(1, -(-size // PAGE_BYTES)), read_units=size / 4096 / 2)
        return super().list()

    def note_snapshot(self, machine: str, number: int, time: int) -> None:
        """See `Machines.note_snapshot`."""
        self._written(machine)
        super().note_snapshot(machine, number, time)

    def size(self, machine: str) -> int:
        """Bytes of a machine's item."""
        record = self._records.get(machine)
        return item_bytes(record_item(record)) if record else 0

    def _written(self, machine: str) -> None:
        self._meter.add(machine_units=write_units(self.size(machine)))


class MeteredObjectStore(MemoryObjectStore):
    """An object store that counts.

    Args:
        meter: Where to.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        self._meter.add(puts=1)
        return super().put_new(key, data)

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        self._meter.add(gets=1)
        return super().get(key)

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        self._meter.add(gets=1)
        return super().stat(key)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        keys = sorted(key for key in self._objects if key.startswith(prefix))
        pages = max(1, -(-len(keys) // LISTED))
        self._meter.add(pages, puts=pages)
        stats = map(super().stat, keys)
        return iter([each for each in stats if each is not None])

    def bytes_below(self, part: str) -> int:
        """Bytes of all objects whose key has a part."""
        return sum(len(data) for key, data in self._objects.items() if part in key)


def row_bytes(machine: str, row: Row) -> int:
    """Bytes of a row's item in the State table."""
    item: dict[str, Any] = {
        "machine": {"S": machine},
        "key": {"S": row.key},
        "block": {"N": str(row.block)},
    }
    if row.value is None:
        item |= {"deleted": {"BOOL": True}, "expires": {"N": "1767225600"}}
    else:
        item["value"] = to_attribute(decode(row.value))
    return item_bytes(item)
