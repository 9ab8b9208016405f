"""A stack in memory whose time passes, with an archive and a pruner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from blockfold import Message
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog
from blockfold.application.dump import Dumper
from blockfold.application.history import History
from blockfold.application.prune import Pruner
from blockfold.application.prune_plan import Pruning
from blockfold.application.read import Reader
from blockfold.application.restore import Restorer
from blockfold.domain.digest import digest_of, sum_of
from blockfold.domain.retention import Retention
from blockfold.domain.schedule import Schedule
from blockfold.ports import BlockLog
from tests.faults import Faults, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack
from tests.strategies import message

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass
class PruneStack(Stack):
    """A `Stack` with the rest of what keeps the past."""

    @property
    def live(self) -> MemoryBlockLog:
        return cast("MemoryBlockLog", self.log)

    @property
    def archive(self) -> ObjectArchive:
        return ObjectArchive(self.objects)

    @property
    def whole(self) -> BlockLog:
        """Table and archive."""
        return ArchivedBlockLog(self.log, self.archive, monotonic=lambda: self.clock.now() / 1000)

    def message(self, *steps: dict[str, Any]) -> Message:
        """The next message, sent now."""
        self.pushed += 1
        self.clock.milliseconds += 1
        actions = [{"type": "run", "args": {"steps": list(steps)}}]
        return message(self.pushed, actions, sent=self.clock.now())

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass; the table deletes what was marked."""
        self.clock.milliseconds += milliseconds
        self.live.pass_time(self.clock.now())

    def pruner(self, faults: Faults | None = None) -> Pruner:
        faults = faults or Faults()
        objects = faulty("objects", self.objects, faults)
        return Pruner(
            log=faulty("log", self.log, faults),
            machines=faulty("machines", self.machines, faults),
            snapshots=self._snapshots(faults),
            archive=ObjectArchive(objects),
            objects=objects,
            clock=self.clock,
        )

    def dumper(self, faults: Faults | None = None) -> Dumper:
        """As in a stack: what the table has no more comes from the archive."""
        faults = faults or Faults()
        return replace(super().dumper(faults), log=faulty("log", self.whole, faults))

    def restorer(self, faults: Faults | None = None) -> Restorer:
        faults = faults or Faults()
        return replace(super().restorer(faults), log=faulty("log", self.whole, faults))

    def prune(self, machine: str = MACHINE) -> Pruning:
        return self.pruner().prune(machine, deadline=NEVER)

    def keep(self, machine: str = MACHINE, **kept: Any) -> None:
        self.pruner().set_retention(machine, Retention(**kept))

    def ship(self, *, upto: int | None = None, machine: str = MACHINE) -> None:
        """Archive what is not archived yet, as a segment of its own."""
        record = self.machines.get(machine)
        assert record is not None
        last = self.head(machine) if upto is None else upto
        self.archive.write(self.log.read(machine, record.archived + 1, last))
        self.machines.raise_watermark(machine, "archived", last)

    def merge(self, machine: str = MACHINE) -> None:
        """All that is archived as one segment more."""
        record = self.machines.get(machine)
        assert record is not None
        self.archive.write(self.whole.read(machine, 1, record.archived))

    def assert_every_state_reads(self, machine: str = MACHINE) -> None:
        """state(h) is what block h says, for every h, wherever it is served from."""
        history = History(self.whole, self.snapshots)
        for number in range(1, self.head(machine) + 1):
            replica = history.at(machine, number)
            assert replica.head.number == number
            assert digest_of(sum_of(replica.entries.items())) == replica.head.digest

    def assert_manifests_read(self) -> None:
        """Every manifest that is there reads whole: snapshots, pinned, and those just removed."""
        for stored in self.objects.list("machines/"):
            folder = stored.key.split("/")[2]
            retired = folder == "retired" and stored.modified > self.clock.now() - DAY
            if retired or folder in {"snapshots", "pinned"}:
                for _ in self.snapshots.entries(self.snapshots.open(stored.key)):
                    pass

    def names(self, folder: str, machine: str = MACHINE) -> list[str]:
        """Keys of the objects in a folder of a machine."""
        return [each.key for each in self.objects.list(f"machines/{machine}/{folder}/")]

    def reader(self) -> Reader:
        return replace(super().reader(), log=self.whole)


def aged(length: int = 30, count: int = 5, /, **kept: Any) -> PruneStack:
    """A machine of some age: a block an hour, a snapshot at every fifth, all of it archived."""
    stack = PruneStack(schedule=Schedule.new(count))
    for _ in range(length):
        stack.pass_time(HOUR)
        stack.grow(1)
        stack.dumper().make_due(MACHINE, stack.head(), deadline=NEVER)
    stack.ship()
    if kept:
        stack.keep(**kept)
    return stack
