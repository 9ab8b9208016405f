"""A stack on which processes of every kind run beside each other, and its clock."""

from __future__ import annotations

from collections.abc import Callable

from blockfold.domain.errors import Corrupted
from blockfold.domain.manifest import Manifest
from blockfold.domain.retention import Retention
from blockfold.domain.schedule import Schedule
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.processes import LONGEST, Process, seen_by
from tests.pruning.stack import DAY, PruneStack

FORK = "fork"

Work = Callable[[PruneStack, int], None]


def dump(own: PruneStack, at: int) -> None:
    head = own.head()
    own.dumper().dump(MACHINE, 1 + at % head)


def make_due(own: PruneStack, _: int) -> None:
    own.dumper().make_due(MACHINE, own.head(), deadline=NEVER)


def restore(own: PruneStack, at: int) -> None:
    own.restore(1 + at % own.head())


def fork(own: PruneStack, at: int) -> None:
    own.restore(1 + at % own.head(), fork=f"{FORK}{at % 2}")


def dump_fork(own: PruneStack, at: int) -> None:
    machine = f"{FORK}{at % 2}"
    if (head := own.head(machine)) > 0:
        own.dumper().dump(machine, 1 + at % head)


def prune(own: PruneStack, at: int) -> None:
    machine = MACHINE if at % 3 else f"{FORK}{at % 2}"
    if own.machines.get(machine) is not None:
        own.prune(machine)


def ship(own: PruneStack, _: int) -> None:
    own.ship()


def merge(own: PruneStack, _: int) -> None:
    own.merge()


WORKS: dict[str, Work] = {
    "dump": dump,
    "make due": make_due,
    "restore": restore,
    "fork": fork,
    "dump fork": dump_fork,
    "prune": prune,
    "prune again": prune,
    "ship": ship,
    "merge": merge,
}


class World:
    """A stack, the processes on it, and a clock that others move."""

    def __init__(self, retention: Retention) -> None:
        self.stack = PruneStack(schedule=Schedule.new(4), part=60)
        self.stack.grow(14)
        self.stack.machines.set_retention(MACHINE, retention)
        self.retention = retention
        self.processes: list[Process] = []

    def start(self, name: str, at: int) -> Process:
        process = Process(name, self.stack.clock.now())
        process.start(lambda gate: WORKS[name](seen_by(self.stack, gate), at))
        self.processes.append(process)
        return process

    def step(self, which: int, calls: int) -> None:
        if running := self._running():
            running[which % len(running)].step(calls)

    def finish(self, which: int) -> None:
        if running := self._running():
            running[which % len(running)].finish()

    def kill(self, which: int) -> None:
        if running := self._running():
            running[which % len(running)].kill()

    def grow(self, which: int) -> None:
        """An executor whose whole turn is one step: races for a number have tests of their own."""
        machine = MACHINE if which % 3 else f"{FORK}{which % 2}"
        if self.stack.head(machine):
            self.stack.grow(1 + which % 5, machine)

    def jump(self, milliseconds: int) -> None:
        then = self.stack.clock.now() + milliseconds
        for process in self._running():
            if then - process.since > LONGEST:
                process.kill()
        self.stack.pass_time(milliseconds)

    def check(self) -> None:
        for process in self.processes:
            if process.crashed is not None:
                raise process.crashed
            if isinstance(process.refused, Corrupted):
                raise process.refused
        self.stack.assert_manifests_read()

    def settle(self) -> None:
        """Everybody ends; two days and two prunes later nothing is left to be done."""
        for process in self.processes:
            process.finish()
        self.check()
        for _ in range(3):
            self.stack.pass_time(2 * DAY)
            self.stack.dumper().sweep(deadline=NEVER)
            for record in self.stack.machines.list():
                self.stack.machines.set_retention(record.machine, self.retention)
                self.stack.prune(record.machine)

    def _running(self) -> list[Process]:
        return [process for process in self.processes if not process.ended]

    def assert_right(self) -> None:
        stack = self.stack
        stack.assert_manifests_read()
        named: set[str] = set()
        for stored in stack.objects.list("machines/"):
            if stored.key.split("/")[2] in {"snapshots", "pinned"}:
                manifest = Manifest.from_bytes(stack.objects._objects[stored.key], stored.key)
                named.update(run.key for run in manifest.runs)
        for record in stack.machines.list():
            machine = record.machine
            stack.assert_every_state_reads(machine)
            unnamed = {*stack.names("runs", machine)} - named
            assert not unnamed, "a run is left that nobody names"
            assert stack.names("retired", machine) == []
            if record.retention.snapshots is not None and stack.taken(machine):
                assert len(stack.taken(machine)) <= record.retention.snapshots
        assert stack.prune().empty
        first = [segment.first for segment in stack.archive.segments(MACHINE)]
        assert len(first) == len({*first}), "a superseded segment is left"
