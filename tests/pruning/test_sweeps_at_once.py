"""Sweeps look at several machines at once, and leave what one after the other would leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Lock
from typing import Any, cast

import pytest

from blockfold.adapters.clients import CONNECTIONS
from blockfold.adapters.memory import MemoryChecks
from blockfold.application.checks import MOST_REMEMBERED, Checker, Tally
from blockfold.application.compact import Compactor
from blockfold.application.prune import READERS_IN_A_SWEEP
from blockfold.application.side_by_side import HEAVY, MACHINES
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key
from blockfold.domain.schedule import Schedule
from blockfold.ports import BlockLog
from tests.properties.histories import NEVER
from tests.pruning.stack import DAY, HOUR, PruneStack

LINGER = 0.004
"""Seconds that a door takes: whoever may come in meanwhile does."""

NAMES = [f"m{number:02d}" for number in range(20)]


class Door:
    """A port of which one method counts who is inside; as many as may be wait for each other."""

    def __init__(self, port: object, method: str, meeting: int = 0) -> None:
        self.most = self._now = self._come = 0
        self._port, self._method, self._meeting = port, method, meeting
        self._barrier = Barrier(meeting) if meeting else None
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._counted(found) if name == self._method else found

    def _counted(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with self._lock:
                self._now += 1
                self._come += 1
                self.most = max(self.most, self._now)
                waits = self._come <= self._meeting
            try:
                if waits and self._barrier is not None:
                    self._barrier.wait(30)
                time.sleep(LINGER)
                return do(*args, **options)
            finally:
                with self._lock:
                    self._now -= 1

        return call


def town(**kept: Any) -> PruneStack:
    """Machines of different lengths, with two segments each and a snapshot due at every third."""
    stack = PruneStack(schedule=Schedule.new(3))
    for number, machine in enumerate(NAMES):
        stack.grow(4 + number % 5, machine=machine)
        stack.archive.write(stack.log.read(machine, 1, 2))
        stack.archive.write(stack.log.read(machine, 3))
        if kept:
            stack.keep(machine, **kept)
    stack.pass_time(HOUR)
    return stack


def due(machine: str) -> list[int]:
    return [*range(3, 5 + NAMES.index(machine) % 5, 3)]


def compactor(stack: PruneStack, **ports: Any) -> Compactor:
    made = Compactor(stack.log, stack.archive, stack.machines, stack.clock)
    return replace(made, **ports)


# -- snapshots -------------------------------------------------------------------------------------


def test_due_snapshots_are_looked_for_at_once_and_made_one_by_one() -> None:
    stack, alone = town(), town()
    looks, makes = Door(stack.log, "head", MACHINES), Door(stack.snapshots, "save")
    ports: dict[str, Any] = {"log": looks, "snapshots": makes}
    made = replace(stack.dumper(), **ports).sweep(deadline=NEVER)
    assert {machine: [each.number for each in found] for machine, found in made.items()} == {
        machine: due(machine) for machine in NAMES
    }
    assert looks.most == MACHINES
    assert makes.most == 1
    for machine in NAMES:
        alone.dumper().make_due(machine, alone.head(machine), deadline=NEVER)
    assert stack.contents() == alone.contents()
    assert replace(stack.dumper(), **ports).sweep(deadline=NEVER) == {}


def test_who_waits_for_another_snapshot_until_time_is_over_makes_none() -> None:
    stack = town()
    seconds = [0.0]

    class Clock:
        now = staticmethod(stack.clock.now)

        def monotonic(self) -> float:
            return seconds[0]

    class Slow(Door):
        def __getattr__(self, name: str) -> Any:
            if name == "save":
                seconds[0] += 100
            return super().__getattr__(name)

    ports: dict[str, Any] = {
        "log": Door(stack.log, "head", MACHINES),
        "snapshots": Slow(stack.snapshots, "save"),
        "clock": Clock(),
    }
    made = replace(stack.dumper(), **ports).sweep(deadline=50.0)
    assert [len(found) for found in made.values()] == [1]
    stack.dumper().sweep(deadline=NEVER)
    assert all(stack.taken(machine) == due(machine) for machine in NAMES)


def test_what_policies_call_for_is_looked_for_at_once_and_made_one_by_one() -> None:
    stack = town()
    for machine in NAMES:
        stack.dumper().set_policy(machine, minutes=5, bytes=1)
        stack.grow(1, machine=machine)
    stack.pass_time(HOUR)
    looks, makes = Door(stack.log, "head", MACHINES), Door(stack.snapshots, "save")
    ports: dict[str, Any] = {"log": looks, "snapshots": makes}
    checker = Checker(replace(stack.dumper(), **ports), MemoryChecks())
    made = checker.sweep(deadline=NEVER)
    assert {machine: each.number for machine, each in made.items()} == {
        machine: stack.head(machine) for machine in NAMES
    }
    assert looks.most == MACHINES
    assert makes.most == 1
    assert checker.sweep(deadline=NEVER) == {}


def test_threads_may_remember_more_machines_than_are_remembered() -> None:
    stack = PruneStack()
    tally, log = Tally(), cast("BlockLog", stack.log)
    with ThreadPoolExecutor(8) as threads:
        times = threads.map(lambda number: tally.time(log, f"m{number}", 1, number), range(4_000))
        assert [*times] == [*range(4_000)]
    assert len(tally._times) == MOST_REMEMBERED


# -- archive ---------------------------------------------------------------------------------------


def test_archives_are_looked_at_at_once_and_few_are_compacted_at_a_time() -> None:
    stack, alone = town(), town()
    looks, lists = Door(stack.log, "head", MACHINES), Door(stack.archive, "segments", HEAVY)
    swept = compactor(stack, log=looks, archive=lists).sweep(deadline=NEVER)
    assert swept.failed == []
    assert {each.machine: each.archived for each in swept.done} == {
        machine: stack.head(machine) for machine in NAMES
    }
    assert (looks.most, lists.most) == (MACHINES, HEAVY)
    for machine in NAMES:
        compactor(alone).compact(machine, deadline=NEVER)
    assert stack.contents() == alone.contents()
    assert compactor(stack).sweep(deadline=NEVER).done == []


# -- pruning ---------------------------------------------------------------------------------------


def pruned_town() -> PruneStack:
    stack = town(snapshots=1, blocks=1)
    stack.dumper().sweep(deadline=NEVER)
    compactor(stack).sweep(deadline=NEVER)
    stack.pass_time(2 * DAY)
    return stack


def test_machines_are_pruned_at_once() -> None:
    stack, alone = pruned_town(), pruned_town()
    looks, reads = Door(stack.log, "head", MACHINES), Door(stack.archive, "read")
    ports: dict[str, Any] = {"log": looks, "archive": reads}
    done = replace(stack.pruner(), **ports).all(deadline=NEVER)
    assert {machine: list(each.snapshots) for machine, each in done.items() if each.snapshots} == {
        machine: due(machine)[:-1] for machine in NAMES if len(due(machine)) > 1
    }
    assert all(each.segments for each in done.values())
    assert looks.most == MACHINES
    assert reads.most <= HEAVY
    assert done == {machine: alone.prune(machine) for machine in NAMES}
    assert stack.contents() == alone.contents()


def test_the_trouble_of_one_machine_is_that_of_one_machine() -> None:
    stack = pruned_town()
    stack.objects._objects[manifest_key("m07", 3)] = b"?"
    with pytest.raises(Corrupted, match=manifest_key("m07", 3)):
        stack.pruner().all(deadline=NEVER)
    assert {machine: stack.taken(machine) for machine in NAMES} == {
        machine: due(machine) if machine == "m07" else due(machine)[-1:] for machine in NAMES
    }


def test_no_more_requests_at_once_than_connections_are_kept() -> None:
    assert MACHINES * READERS_IN_A_SWEEP <= CONNECTIONS
