"""A restore that no process has time for is done by many: each goes on where the last one was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from blockfold.adapters.memory import MemoryObjectStore, MemoryStateTable
from blockfold.application import catch_up as module
from blockfold.application.catch_up import Behind, CatchUp, Counts
from blockfold.application.restore import Restorer, Target
from blockfold.domain.errors import NotFound, Refused
from blockfold.domain.spans import FIRST, LAST
from blockfold.ports import Row, Write
from tests.clocks import SetClock
from tests.faults import Killed
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put

ROWS = 600


class CountingTable(MemoryStateTable):
    """Each row that is read or written takes a second; a process may be killed by then."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__()
        self.clock = clock
        self.read = self.written = 0
        self.ends = NEVER

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        for row in super().between(machine, after, upto):
            self._pass()
            self.read += 1
            yield row

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        for write in writes:
            self._pass()
            self.written += 1
            super().write(machine, [write])

    def _pass(self) -> None:
        self.clock.seconds += 1
        if self.clock.seconds > self.ends:
            raise Killed


@dataclass
class CountingObjects(MemoryObjectStore):
    """Counts the reads of run files."""

    gets: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def get(self, key: str) -> bytes | None:
        self.gets += "/runs/" in key
        return super().get(key)


@dataclass
class World:
    """A machine whose state of `ROWS` keys was restored, the table not yet."""

    clock: SetClock = field(default_factory=SetClock)
    changed: int = 40

    def __post_init__(self) -> None:
        self.table = CountingTable(self.clock)
        self.objects = CountingObjects()
        self.stack = Stack(table=self.table, objects=self.objects, part=600)
        self.stack.run(*[put(f"{number:04}", number) for number in range(ROWS)])
        each = ROWS // self.changed
        self.stack.run(*[put(f"{number:04}", "new") for number in range(0, ROWS, each)])
        self.stack.run(*[put(f"more/{number}", 1) for number in range(5)])
        target = Target(MACHINE, block=1)
        self.stack.restorer().carry_out(target, deadline=NEVER, begin_only=True)
        self.table.read = self.table.written = self.objects.gets = 0

    def restorer(self) -> Restorer:
        """A process of its own."""
        return replace(self.stack.restorer(), table=self.table, clock=self.clock)

    def assert_done(self) -> None:
        assert self.stack.stored() == self.stack.state_at(1)
        self.stack.assert_whole()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "CHUNK", 4)
    monkeypatch.setattr(module, "LOOK", 10)
    monkeypatch.setattr(module, "NOTE", 20)
    return World()


@pytest.mark.parametrize("seconds", [15, 40, 200])
def test_each_process_has_time_for_a_few_chunks_and_the_work_is_finite(
    world: World, seconds: int
) -> None:
    """The rows read are those that there are, and a few for each process; not their square."""
    shares = [0.0]
    processes = 1
    while not (
        done := world.restorer().resume(MACHINE, deadline=world.clock.seconds + seconds)
    ).done:
        processes += 1
        assert processes <= 2 * ROWS / 10
        shares.append(done.share)
    assert shares == sorted(shares)
    assert shares[-1] < done.share == 1.0
    assert processes >= ROWS / seconds / 2
    assert world.table.written == 40 + 5
    assert world.table.read <= ROWS + 5 + processes
    world.assert_done()


def test_processes_that_are_killed_repeat_at_most_what_came_since_the_last_note(
    world: World,
) -> None:
    deaths = 0
    while True:
        world.table.ends = world.clock.seconds + 90
        try:
            world.restorer().resume(MACHINE, deadline=NEVER)
        except Killed:
            deaths += 1
            assert deaths < 20
        else:
            break
    assert deaths > 3
    assert world.table.read <= ROWS + 5 + deaths * (module.NOTE + module.LOOK)
    world.table.ends = NEVER
    world.assert_done()


def test_whole_files_of_the_snapshot_are_skipped(world: World) -> None:
    """Each process opens the file that it stopped in again, and none before it."""
    manifest = world.stack.snapshots.get(MACHINE, 1)
    assert manifest is not None
    assert len(manifest.runs) > 20
    processes = 1
    while not world.restorer().resume(MACHINE, deadline=world.clock.seconds + 50).done:
        processes += 1
    assert processes > 5
    assert world.objects.gets <= len(manifest.runs) + processes
    world.assert_done()


def test_cold_executors_go_on_from_each_others_place(world: World) -> None:
    sent = world.stack.message(put("next", 1))
    invocation = 0
    while True:
        invocation += 1
        executor = replace(world.stack.executor(), table=world.table, clock=world.clock)
        folded = executor.fold(MACHINE, [sent], deadline=world.clock.seconds + 30)
        if folded.blocks:
            break
        assert isinstance(folded.waits, Behind)
        assert invocation < 60
    assert invocation > 5
    assert world.table.read <= ROWS + 5 + 2 * invocation
    assert world.stack.stored() == {**world.stack.state_at(1), "next": 1}
    world.stack.assert_whole()


def test_ranges_and_an_executor_share_the_work(world: World) -> None:
    restorer = world.restorer()
    assert restorer.settle(MACHINE, deadline=NEVER)
    number, spans = restorer.split(MACHINE, 4)
    assert (number, len(spans)) == (4, 4)
    assert [start for start, _ in spans] == [FIRST, *[end for _, end in spans[:-1]]]
    assert spans[-1][1] == LAST
    assert restorer.fill(MACHINE, 4, spans[2], deadline=NEVER).done
    assert not restorer.fill(MACHINE, 4, spans[1], deadline=world.clock.seconds + 30).done
    read = world.table.read
    done = CatchUp(
        world.stack.log, world.table, world.stack.machines, world.stack.snapshots, world.clock
    ).run(MACHINE, deadline=NEVER)
    assert world.table.read - read <= ROWS + 5 - read + 10
    assert done.restores[4].written + done.restores[4].deleted < 40 + 5
    assert world.table.written == 40 + 5
    world.assert_done()
    for span in spans:
        assert restorer.fill(MACHINE, 4, span, deadline=NEVER).done
    assert world.table.written == 40 + 5


def test_a_range_needs_what_came_before_flushed(world: World) -> None:
    world.stack.restore(2)
    world.stack.lag(put("late", 1))
    target = Target(MACHINE, block=1)
    world.stack.restorer().carry_out(target, deadline=NEVER, begin_only=True)
    restorer, before = world.restorer(), world.stack.contents()
    with pytest.raises(Refused, match=r"block 7 of machine 'm' must wait.*stands at block 5"):
        restorer.fill(MACHINE, 7, (FIRST, LAST), deadline=NEVER)
    with pytest.raises(Refused, match="block 6 of machine 'm' is no restore"):
        restorer.fill(MACHINE, 6, (FIRST, LAST), deadline=NEVER)
    with pytest.raises(NotFound, match="no block 8"):
        restorer.fill(MACHINE, 8, (FIRST, LAST), deadline=NEVER)
    assert world.stack.contents() == before


def test_progress_counts_what_ranges_did(world: World) -> None:
    restorer = world.restorer()
    _, spans = restorer.split(MACHINE, 4)
    shares: list[float] = []
    for span in reversed(spans):
        found = restorer.progress(MACHINE)
        assert found is not None
        assert (found.number, found.rows) == (4, ROWS)
        shares.append(found.share)
        restorer.fill(MACHINE, 4, span, deadline=NEVER)
    assert shares == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.1)
    assert restorer.resume(MACHINE, deadline=NEVER).done
    assert restorer.progress(MACHINE) is None
    world.assert_done()


def test_actions_that_come_during_the_ranges_wait_and_stand_after_it_once(world: World) -> None:
    restorer = world.restorer()
    _, spans = restorer.split(MACHINE, 4)
    sent = [world.stack.message({"do": "push", "key": "order", "value": n}) for n in range(3)]
    for span in spans[1:]:
        restorer.fill(MACHINE, 4, span, deadline=NEVER)
        executor = replace(world.stack.executor(), table=world.table, clock=world.clock)
        assert not executor.fold(MACHINE, sent, deadline=world.clock.seconds + 1).blocks
    restorer.fill(MACHINE, 4, spans[0], deadline=NEVER)
    for _ in range(2):
        folded = world.stack.executor().fold(MACHINE, sent, deadline=NEVER)
        assert folded.done == {each.id for each in sent}
    ids = [each.id for block in world.stack.blocks()[4:] for each in block.body.messages]
    assert ids == [each.id for each in sent]
    assert world.stack.stored() == {**world.stack.state_at(1), "order": [0, 1, 2]}
    world.stack.assert_whole()


def test_a_lost_table_is_filled_whole_although_a_place_was_noted(world: World) -> None:
    """Who takes ``flushed`` away gets the table from the log, not only from the noted place on."""
    world.restorer().resume(MACHINE, deadline=world.clock.seconds + 300)
    record = world.stack.machines.get(MACHINE)
    assert record is not None
    assert record.restoring is not None
    machines: Any = world.stack.machines
    machines._records[MACHINE] = replace(record, flushed=0)
    world.table._rows.clear()
    world.stack.executor().fold(MACHINE, [], deadline=NEVER)
    world.assert_done()


def test_what_was_done_is_counted_although_time_ran_out(world: World) -> None:
    done = world.restorer().resume(MACHINE, deadline=world.clock.seconds + 100)
    assert not done.done
    assert 0 < done.written == world.table.written < 40
    rest = world.restorer().resume(MACHINE, deadline=NEVER)
    assert (done.written + rest.written, rest.deleted) == (40, 5)
    assert Counts(40, 5).written == world.table.written - 5
