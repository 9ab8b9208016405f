"""A stack in memory with its archive, of which the tables can be lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from blockfold import Block
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.bucket_log import bucket_log
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryEraser,
    MemoryMachines,
    MemoryStateTable,
)
from blockfold.application.compact import Compactor
from blockfold.application.delete import Deleted, Deleter
from blockfold.application.drill import Drill
from blockfold.application.execute import Executor
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.rebuild import Rebuilder, Rebuilt
from blockfold.application.verify import Verification, Verifier
from blockfold.domain.canonical import Json, decode
from blockfold.domain.schedule import Schedule
from tests.faults import Faults, faulty, torn
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack

SCHEDULE = Schedule.new(4)


@dataclass
class World(Stack):
    """What outlives the tables is the bucket alone."""

    schedule: Schedule = SCHEDULE

    @property
    def archive(self) -> ObjectArchive:
        return ObjectArchive(self.objects, part=2_000)

    def rebuilder(self, faults: Faults | None = None) -> Rebuilder:
        faults = faults or Faults()
        objects = faulty("objects", self.objects, faults)
        archive = ObjectArchive(objects, part=2_000)
        live = faulty("log", self.log, faults)
        return Rebuilder(
            live=live,
            log=ArchivedBlockLog(live, archive),
            archive=archive,
            table=torn(self.table, faults),
            machines=faulty("machines", self.machines, faults),
            snapshots=self._snapshots(faults),
            objects=objects,
            eraser=self.eraser(faults),
            clock=self.clock,
            schedule=self.schedule,
        )

    def eraser(self, faults: Faults | None = None) -> MemoryEraser:
        eraser = MemoryEraser(
            cast("MemoryBlockLog", self.log),
            cast("MemoryStateTable", self.table),
            cast("MemoryMachines", self.machines),
        )
        return faulty("eraser", eraser, faults or Faults())

    def drill(self, faults: Faults | None = None) -> Drill:
        faults = faults or Faults()
        objects = faulty("objects", self.objects, faults)
        archive = ObjectArchive(objects, part=2_000)
        return Drill(
            live=faulty("log", self.log, faults),
            bucket_log=lambda head: bucket_log(head, archive),
            archive=archive,
            table=torn(self.table, faults),
            machines=faulty("machines", self.machines, faults),
            snapshots=self._snapshots(faults),
            objects=objects,
            eraser=self.eraser(faults),
            clock=self.clock,
        )

    def deleter(self, faults: Faults | None = None) -> Deleter:
        faults = faults or Faults()
        objects = faulty("objects", self.objects, faults)
        return Deleter(
            live=faulty("log", self.log, faults),
            archive=ObjectArchive(objects, part=2_000),
            table=torn(self.table, faults),
            machines=faulty("machines", self.machines, faults),
            objects=objects,
            eraser=self.eraser(faults),
            clock=self.clock,
        )

    def delete(self, machine: str = MACHINE) -> Deleted:
        deleter = self.deleter()
        return deleter.carry_out(deleter.plan(machine))

    def archived_executor(self) -> Executor:
        return replace(self.executor(), archive=self.archive)

    def keep(self, machine: str = MACHINE) -> None:
        """Archive everything, make the due snapshots, keep the settings."""
        self.dumper().make_due(machine, self.head(machine), deadline=NEVER)
        Compactor(self.log, self.archive, self.machines, self.clock).compact(
            machine, deadline=NEVER, upto_head=True
        )
        record = self.machines.get(machine)
        assert record is not None
        KeptSettings(self.objects).keep(record)

    def lose(self) -> None:
        """The tables are gone, and every process with them."""
        self.log, self.table, self.machines = MemoryBlockLog(), MemoryStateTable(), MemoryMachines()

    def rebuild(self, machine: str = MACHINE) -> Rebuilt:
        rebuilder = self.rebuilder()
        done = rebuilder.carry_out(rebuilder.plan(machine))
        # As the next sweep does: ``dumped`` rises over blocks that are not due.
        self.dumper().make_due(machine, done.number, deadline=NEVER)
        return done

    def verify(self, machine: str = MACHINE) -> Verification:
        log = ArchivedBlockLog(self.log, self.archive)
        return Verifier(log, self.table, self.machines, self.snapshots).verify(machine)

    def tables(self) -> dict[str, Any]:
        """All items, the epoch aside: only a rebuild raises it."""
        records = sorted(self.machines.list(), key=lambda record: record.machine)
        names = [record.machine for record in records]
        return {
            "records": [replace(record, epoch=0) for record in records],
            "blocks": {name: [block.hash for block in self.log.read(name, 1)] for name in names},
            "rows": {name: list(self.table.scan(name)) for name in names},
        }

    def bucket(self) -> dict[str, bytes | None]:
        """All objects but the marks of epochs."""
        marks = {
            segment.key
            for machine in self.objects.folders("machines/")
            for segment in self.archive.segments(machine)
            if not segment.blocks
        }
        listed = (each.key for each in self.objects.list(""))
        return {key: self.objects.get(key) for key in listed if key not in marks}

    def newest(self, machine: str = MACHINE) -> Block:
        block = self.log.head(machine)
        assert block is not None
        return block

    def state_at_archived(self, number: int, machine: str = MACHINE) -> dict[str, Json]:
        """The state after a block, by a reader that knows the archive."""
        log = ArchivedBlockLog(self.log, self.archive)
        reader = replace(self.reader(), log=log)
        entries = reader.state_at(machine, number).entries
        return {key: decode(value) for key, value in entries.items()}
