"""A bucket with an object of every kind, in memory, and what verifies and repairs it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from blockfold import Block
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.bodies import ObjectBodies
from blockfold.adapters.dynamodb.items import from_item, to_item
from blockfold.adapters.dynamodb.packing import pack
from blockfold.adapters.memory import MemoryMachines, MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.import_lines import Entry
from blockfold.application.import_state import Importer
from blockfold.application.inspect_bucket import Bucket
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.repair import Repairer
from blockfold.application.repaired import Repaired
from blockfold.application.restore import Target
from blockfold.application.verify import Verification, Verifier
from blockfold.domain.errors import BlockConflict
from blockfold.domain.keys import body_key
from blockfold.domain.retention import Retention
from blockfold.domain.schedule import Schedule
from blockfold.ports import BlockLog, ObjectStore
from tests.contracts.samples import noise
from tests.faults import Faults, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import PruneStack
from tests.snapshots.stack import put

FORK, MOVED = "fork", "moved"
MACHINES = (MACHINE, FORK, MOVED)

INLINE = 600
"""Bytes of a packed body that stay in the item: some bodies of this world are larger."""


class ItemLog:
    """A `BlockLog` of items as DynamoDB has them, with large bodies in an object store.

    Attributes:
        items: The items by machine and number.
    """

    def __init__(
        self, objects: ObjectStore, items: dict[str, dict[int, Any]] | None = None
    ) -> None:
        self.items = {} if items is None else items
        self._objects = objects

    def append(self, block: Block) -> None:
        there = self.get(block.machine, block.number)
        if there is not None:
            if there.hash != block.hash:
                raise BlockConflict(there)
            return
        packed = pack(block.payload)
        spilled = len(packed) > INLINE
        if spilled:
            packed = pack(block.payload, dictionary=False)
            self._objects.put_new(body_key(block.machine, block.number, block.header.body), packed)
        item = to_item(block, None if spilled else packed)
        self.items.setdefault(block.machine, {})[block.number] = item

    def head(self, machine: str) -> Block | None:
        numbers = self.items.get(machine)
        return self.get(machine, max(numbers)) if numbers else None

    def get(self, machine: str, number: int) -> Block | None:
        item = self.items.get(machine, {}).get(number)
        return None if item is None else from_item(item, self._objects)

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        for number in sorted(self.items.get(machine, {})):
            if first <= number and (last is None or number <= last):
                yield from_item(self.items[machine][number], self._objects)

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        for number in range(first, last + 1):
            self.items.get(machine, {}).pop(number, None)


class Sorter:
    """Sorts a few entries."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def sorted(self) -> Iterator[Entry]:
        return iter(sorted(self.entries, key=lambda each: each.key))


@dataclass
class World(PruneStack):
    """Stores, and who works on them; blocks may leave the table."""

    items: dict[str, dict[int, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.log = ItemLog(self.objects, self.items)

    @property
    def whole(self) -> BlockLog:
        return ArchivedBlockLog(self.log, self.archive)

    def pass_time(self, milliseconds: int) -> None:
        self.clock.milliseconds += milliseconds

    def verifier(self) -> Verifier:
        bucket = Bucket(self.objects, self.archive, ObjectBodies(self.objects), self.log)
        return Verifier(self.whole, self.table, self.machines, self.snapshots, bucket)

    def verify(self, machine: str = MACHINE) -> Verification:
        return self.verifier().verify(machine)

    def repairer(
        self, faults: Faults | None = None, objects: ObjectStore | None = None
    ) -> Repairer:
        seen = faulty("objects", objects or self.objects, faults or Faults())
        archive = ObjectArchive(seen)
        live = ItemLog(seen, self.items)
        return Repairer(
            bucket=Bucket(seen, archive, ObjectBodies(seen), live),
            log=ArchivedBlockLog(live, archive),
            table=self.table,
            machines=self.machines,
            snapshots=ObjectSnapshots(seen, part=self.part, now=self.clock.now),
            clock=self.clock,
        )

    def repair(self, machine: str = MACHINE) -> Repaired:
        return self.repairer().repair(machine)

    def bytes(self) -> dict[str, bytes]:
        return dict(self.objects._objects)

    def copy(self) -> World:
        """Another world of the same contents; the tables are shared, nobody writes them here."""
        objects = MemoryObjectStore()
        objects._objects = dict(self.objects._objects)
        objects._modified = dict(self.objects._modified)
        other = World(
            table=self.table,
            machines=cast("MemoryMachines", self.machines),
            objects=objects,
            part=self.part,
            pushed=self.pushed,
            items=self.items,
        )
        other.clock.milliseconds = self.clock.milliseconds
        return other

    def without(self, machine: str, numbers: range) -> None:
        """Let blocks leave the table of this world alone."""
        self.items = deepcopy(self.items)
        for number in numbers:
            self.items[machine].pop(number, None)
        self.log = ItemLog(self.objects, self.items)


def rich() -> World:
    """Three machines: one with all there is, its fork, and one that was imported."""
    world = World(schedule=Schedule.new(4))
    for number in range(1, 19):
        world.grow(1)
        if number in (3, 10):
            world.run(put("noise", noise(3_000, number)))
        if number == 6:
            world.restore(2)
    world.dumper().make_due(MACHINE, world.head(), deadline=NEVER)
    world.restore(9)
    world.restore(7, fork=FORK)
    world.grow(6, FORK)
    world.dumper().make_due(FORK, world.head(FORK), deadline=NEVER)
    _move_in(world)
    for machine in MACHINES:
        _archive(world, machine)
    retention = Retention(snapshots=3)
    world.machines.set_retention(MACHINE, retention)
    world.prune()
    for machine in MACHINES:
        world.dumper().set_count(machine, 5)
        record = world.machines.get(machine)
        assert record is not None
        KeptSettings(world.objects).keep(record)
    return world


def _move_in(world: World) -> None:
    entries = [Entry(f"user/{each:02}", each, b'{"n":%d}' % each) for each in range(20)]
    uploaded = Importer(world.log, world.snapshots).upload(MOVED, entries, Sorter())
    target = Target(MOVED, imported=uploaded.key)
    world.restorer().carry_out(target, deadline=NEVER)
    world.grow(5, MOVED)
    world.dumper().dump(MOVED, 1)
    world.dumper().make_due(MOVED, world.head(MOVED), deadline=NEVER)


def _archive(world: World, machine: str) -> None:
    """Small segments, some of them merged: what was merged is superseded and still there."""
    head = world.head(machine)
    for upto in (3, 6, head):
        world.ship(upto=min(upto, head), machine=machine)
    world.archive.write(world.log.read(machine, 1, min(6, head)))
    record = world.machines.get(machine)
    assert record is not None
    KeptSettings(world.objects).keep(record)
