"""Work that does not fit one invocation is done in several: each goes on where time ran out.

Time is virtual: it passes with rows that are written and read, and with actions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from blockfold import Block, Context, Machine, Message, State, action
from blockfold.adapters.memory import MemoryBlockLog, MemoryStateTable
from blockfold.application import catch_up as module
from blockfold.application.catch_up import Behind, CatchUp, Counts
from blockfold.application.execute import Executor, Folded
from blockfold.application.restore import Target
from blockfold.application.tail import Bounds
from blockfold.domain.errors import Unavailable
from blockfold.ports import Row, Write
from tests.clocks import SetClock
from tests.faults import Faults, Killed
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack
from tests.strategies import message

INVOCATION = 35.0
"""Seconds that an executor has."""

WRITE_SECONDS, READ_SECONDS, SCAN_SECONDS = 0.1, 0.01, 0.001
BOUNDS = Bounds(writes=400, chunk=20)


class Wide(Machine):
    @action
    def fill(self, state: State, context: Context, keys: list[int], value: int = 0) -> None:
        for key in keys:
            state[f"{key:05}"] = [value, context.ordinal]


class SlowTable(MemoryStateTable):
    """A table that takes time; it stops whoever uses it beyond the end of its invocation."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__()
        self.clock = clock
        self.ends = NEVER
        self.written = 0
        self.scanned = 0
        self.trouble: Exception | None = None

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        self._pass(READ_SECONDS * len(keys))
        return super().get(machine, keys)

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        for row in super().scan(machine, prefix):
            self._pass(SCAN_SECONDS)
            yield row

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        for row in super().between(machine, after, upto):
            self._pass(SCAN_SECONDS)
            self.scanned += 1
            yield row

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        if self.trouble is not None:
            raise self.trouble
        for write in writes:
            self._pass(WRITE_SECONDS)
            self.written += 1
            super().write(machine, [write])

    def _pass(self, seconds: float) -> None:
        self.clock.seconds += seconds
        if self.clock.seconds > self.ends:
            raise Killed


@dataclass
class World:
    """A stack whose state table takes time, and a queue of one group."""

    clock: SetClock = field(default_factory=SetClock)
    bounds: Bounds = BOUNDS
    left: list[Message] = field(default_factory=list)
    sent: int = 0
    warm: Executor | None = None

    def __post_init__(self) -> None:
        self.table = SlowTable(self.clock)
        self.stack = Stack(table=self.table)

    def send(self, *actions: dict[str, Any]) -> None:
        self.sent += 1
        self.left.append(message(self.sent, list(actions)))

    def executor(self) -> Executor:
        """A cold one."""
        wired = self.stack.executor(Faults(), Wide())
        return replace(wired, table=self.table, clock=self.clock, bounds=self.bounds)

    def deliver(self, *, cold: bool = True) -> Folded:
        """One invocation; it is killed if it does not end ten seconds after its deadlines."""
        if cold or self.warm is None:
            self.warm = self.executor()
        deadline = self.clock.seconds + INVOCATION
        self.table.ends = deadline + 10
        batch = self.left[:10]
        folded = self.warm.fold(MACHINE, batch, deadline=deadline)
        self.table.ends = NEVER
        again = {each.id for each in folded.again}
        acknowledged = {each.id for each in batch} - again
        self.left = [each for each in self.left if each.id not in acknowledged]
        return folded

    def flushed(self) -> int:
        record = self.stack.machines.get(MACHINE)
        return record.flushed if record else 0

    def assert_current(self) -> None:
        assert self.left == []
        self.stack.assert_whole()


def fill(first: int, count: int, value: int = 0) -> dict[str, Any]:
    return {
        "type": "fill",
        "args": {"keys": list(range(first, first + count)), "value": value},
    }


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "CHUNK", 20)
    monkeypatch.setattr(module, "LOOK", 100)
    return World()


# -- flushing --------------------------------------------------------------------------------------


def test_more_than_one_invocation_can_flush_is_flushed_in_several_cold_ones(world: World) -> None:
    for number in range(10):
        world.send(fill(number * 100, 100))
    world.bounds = replace(BOUNDS, writes=10_000)
    folded = world.deliver()
    assert (len(folded.blocks), folded.behind, folded.failed) == (1, True, False)
    stood = [world.flushed()]
    while world.left:
        assert len(stood) < 10, "no progress"
        world.deliver()
        stood.append(world.flushed())
    assert len(stood) > 2
    world.assert_current()
    assert world.table.written == 1_000, "what was stored is not written again"


def test_a_block_that_no_invocation_can_flush_is_flushed_in_several_cold_ones(world: World) -> None:
    world.send(fill(0, 1_200))
    for _ in range(8):
        world.deliver()
        if not world.left:
            break
        assert world.flushed() == 0, "all of it or nothing"
    world.assert_current()
    assert world.table.written == 1_200


def test_blocks_are_flushed_in_order_and_readers_stay_exact(world: World) -> None:
    """Block 1's second key was changed again by block 3: 1 and 2 are flushed without it."""
    world.bounds = Bounds(chunk=2)
    executor = world.executor()
    world.table.trouble = Unavailable("injected: not now")
    for number, each in enumerate([fill(0, 2), fill(5, 1), fill(1, 4, value=1)], start=1):
        executor.fold(MACHINE, [message(number, [each])], deadline=NEVER)
    world.table.trouble = None
    ends = world.clock.seconds + 2 * WRITE_SECONDS
    folded = executor.fold(MACHINE, [], deadline=ends)
    assert (world.flushed(), folded.behind) == (2, True)
    assert sorted(world.stack.stored()) == ["00000", "00005"]
    reader = world.stack.reader()
    assert reader.state(MACHINE).entries == reader.state_at(MACHINE, 3).entries
    assert world.stack.verify().ok
    executor.fold(MACHINE, [], deadline=NEVER)
    world.assert_current()


# -- back-pressure ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cold", [False, True])
def test_no_block_is_committed_while_too_much_is_pending(world: World, cold: bool) -> None:
    world.table.trouble = Unavailable("injected: not now")
    for number in range(60):
        world.send(fill(number * 30, 30))
    for _ in range(20):
        folded = world.deliver(cold=cold)
        assert world.left, "nothing is forgotten"
        assert folded.failed
    assert 400 < sum(len(block.body.changes) for block in world.stack.blocks()) <= 400 + 300
    world.table.trouble = None
    for _ in range(30):
        world.deliver(cold=cold)
    world.assert_current()


def test_bytes_are_bounded_as_writes_are(world: World) -> None:
    world.bounds = Bounds(payload=2_000)
    world.table.trouble = Unavailable("injected: not now")
    for _ in range(10):
        world.send(fill(0, 50))
        world.deliver()
    assert 1 < len(world.stack.blocks()) < 4
    world.table.trouble = None
    while world.left:
        world.deliver()
    world.assert_current()


def test_a_quiet_machine_gets_its_table_flushed_by_its_last_message(world: World) -> None:
    world.table.trouble = Unavailable("injected: not now")
    for number in range(3):
        world.send(fill(number, 1))
    folded = world.deliver()
    assert [each.id for each in folded.again] == [world.left[0].id]
    assert folded.done == {each.id for each in folded.messages}
    assert isinstance(folded.flush_error, Unavailable)
    world.table.trouble = None
    folded = world.deliver()
    assert (folded.repeated, folded.blocks) == (1, [])
    world.assert_current()


def test_a_long_unflushed_tail_is_not_read_whole(world: World) -> None:
    world.table.trouble = Unavailable("injected: not now")
    world.bounds = Bounds()
    for number in range(8):
        world.send(fill(number * 100, 100))
        world.deliver(cold=False)
    world.table.trouble = None
    world.bounds = BOUNDS
    folded = world.deliver()
    assert isinstance(folded.waits, Behind)
    assert not folded.failed
    assert 0 < world.flushed() < 8
    for _ in range(4):
        world.deliver()
    world.assert_current()


# -- restores --------------------------------------------------------------------------------------


def restored(world: World, *, rows: int, changed: Sequence[int]) -> None:
    """A restore that died right after its block; keys were changed since the restored one."""
    world.bounds = Bounds()
    executor = world.executor()
    for first in range(0, rows, 1_000):
        world.send(fill(first, 1_000))
    world.send({"type": "fill", "args": {"keys": list(changed), "value": 9}})
    for each in world.left:
        executor.fold(MACHINE, [each], deadline=NEVER)
    world.left = []
    number = world.stack.head() - 1
    target = Target(MACHINE, block=number)
    world.stack.restorer().carry_out(target, deadline=NEVER, begin_only=True)
    world.bounds = BOUNDS


def catch_up(world: World) -> CatchUp:
    stack = world.stack
    return CatchUp(stack.log, world.table, stack.machines, stack.snapshots, world.clock)


def test_a_scan_that_finds_nothing_in_its_time_goes_on_where_it_stopped(world: World) -> None:
    restored(world, rows=5_000, changed=[4_990])
    catching = catch_up(world)
    started = world.clock.seconds
    for _ in range(3):
        with pytest.raises(Behind, match="is catching up"):
            catching.run(MACHINE, deadline=world.clock.seconds + 1.5)
    assert world.clock.seconds - started < 3 * (1.5 + module.LOOK * SCAN_SECONDS)
    done = catching.run(MACHINE, deadline=world.clock.seconds + 1.5)
    assert done.restores[done.number] == Counts(1, 0)
    world.stack.assert_whole()


def test_what_was_found_is_written_before_time_is_up(world: World) -> None:
    """Another process each time: what the one before wrote is found equal."""
    restored(world, rows=4_000, changed=[10, 1_500, 2_500, 3_500])
    written = world.table.written
    with pytest.raises(Behind):
        catch_up(world).run(MACHINE, deadline=world.clock.seconds + 1.9)
    assert world.table.written == written + 2
    assert catch_up(world).run(MACHINE, deadline=NEVER).restores == {6: Counts(2, 0)}
    assert world.table.written == written + 4
    world.stack.assert_whole()


def test_an_executor_finishes_a_restore_over_several_invocations(world: World) -> None:
    restored(world, rows=50_000, changed=[49_900])
    world.left = [message(99, [fill(0, 1, value=5)])]
    folded = world.deliver()
    assert isinstance(folded.waits, Behind)
    assert (folded.failed, folded.blocks, len(folded.again)) == (False, [], 1)
    folded = world.deliver(cold=False)
    assert len(folded.blocks) == 1
    world.assert_current()


def test_another_process_finished_the_restore_meanwhile(world: World) -> None:
    restored(world, rows=50_000, changed=[10, 49_900])
    world.left = [message(99, [fill(0, 1, value=5)])]
    world.deliver()
    catch_up(world).run(MACHINE, deadline=NEVER)
    other = world.executor().fold(MACHINE, [message(98, [fill(49_900, 1)])], deadline=NEVER)
    assert len(other.blocks) == 1
    world.deliver(cold=False)
    world.assert_current()


def test_a_catch_up_without_time_begins_nothing(world: World) -> None:
    restored(world, rows=1_000, changed=[1])
    before, written = world.clock.seconds, world.table.written
    with pytest.raises(Behind):
        catch_up(world).run(MACHINE, deadline=before)
    assert (world.clock.seconds, world.table.written) == (before, written)


def test_ordinary_blocks_are_caught_up_as_far_as_time_goes(world: World) -> None:
    world.table.trouble = Unavailable("injected: not now")
    world.bounds = Bounds()
    for number in range(8):
        world.send(fill(number * 700, 700))
        world.deliver(cold=False)
    world.table.trouble = None
    with pytest.raises(Behind):
        catch_up(world).run(MACHINE, deadline=world.clock.seconds + 200)
    assert 0 < world.flushed() < 8
    catch_up(world).run(MACHINE, deadline=NEVER)
    world.stack.assert_whole()


def test_blocks_that_take_long_to_read_are_stored_as_far_as_they_were_read(world: World) -> None:
    world.table.trouble = Unavailable("injected: not now")
    world.bounds = Bounds()
    for number in range(9):
        world.send(fill(number, 1))
        world.deliver(cold=False)
    world.table.trouble = None

    class SlowLog(MemoryBlockLog):
        def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
            for block in world.stack.log.read(machine, first, last):
                world.clock.seconds += 1
                yield block

    stood = []
    for _ in range(2):
        with pytest.raises(Behind):
            replace(catch_up(world), log=SlowLog(), _paused={}).run(
                MACHINE, deadline=world.clock.seconds + 3.5
            )
        stood.append(world.flushed())
    assert stood == [3, 6]


def test_no_more_runs_are_kept_than_may_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSED", 1)
    restored(world, rows=1_000, changed=[1])
    target = Target(MACHINE, block=world.stack.head() - 1, fork="copy")
    world.stack.restorer().carry_out(target, deadline=NEVER, begin_only=True)
    catching = catch_up(world)
    for machine in (MACHINE, "copy"):
        with pytest.raises(Behind):
            catching.run(machine, deadline=world.clock.seconds)
    assert list(catching._paused) == ["copy"]
    for machine in (MACHINE, "copy"):
        catching.run(machine, deadline=NEVER)
        world.stack.assert_whole(machine)


def test_a_restore_still_works_beside_all_this(world: World) -> None:
    world.send(fill(0, 10))
    world.send(fill(5, 10))
    world.deliver()
    world.stack.restorer().carry_out(Target(MACHINE, block=1), deadline=NEVER)
    world.assert_current()
