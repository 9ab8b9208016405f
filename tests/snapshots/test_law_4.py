"""Law 4: snapshots stand on exact multiples of n, whatever becomes of the events."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.announce import Announcer
from blockfold.domain.errors import Corrupted
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.machines_for_tests import model_step
from tests.properties.histories import MACHINE, NEVER
from tests.properties.turns import Turns
from tests.snapshots.stack import Stack, steps_of

OTHER = "other"


@dataclass
class Model:
    """What must be dumped: written without the schedule, by what held when each block came."""

    running: bool
    count: int | None
    head: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    expected: dict[int, dict[str, Any]] = field(default_factory=dict)

    def block(self, number: int) -> None:
        for step in steps_of(number):
            self.state = model_step(self.state, step["do"], step["key"], step.get("value"))
        self.head += 1
        if self.running and self.count and self.head % self.count == 0:
            self.expected[self.head] = self.state

    def call(self, name: str, count: Any) -> None:
        if name == "start":
            self.running = self.count is not None
        elif name == "stop":
            self.running = False
        elif count is None:
            self.running, self.count = False, None
        elif count > 0:
            self.running, self.count = True, count


blocks = st.tuples(st.just("blocks"), st.integers(1, 7), st.none(), st.none())
settings = st.tuples(
    st.sampled_from(["start", "stop", "set_count", "set_count"]),
    st.none() | st.integers(-1, 5),
    st.none(),
    st.none(),
)
fault = st.none() | st.integers(0, 25)
moment = st.sampled_from(MOMENTS)
events = st.tuples(st.just("event"), st.integers(1, 40), fault, moment)
sweeps = st.tuples(st.just("sweep"), st.just(0), fault, moment)
scripts = st.lists(blocks | settings | events | sweeps | blocks | events, max_size=24)


@given(st.none() | st.integers(0, 4), scripts)
def test_whatever_becomes_of_the_events_the_same_snapshots_are_made(
    own: int | None, script: Sequence[tuple[str, Any, Any, Any]]
) -> None:
    stack = Stack(schedule=Schedule.new(own))
    model = Model(bool(own), own or None)
    executor = stack.executor()
    for do, argument, at, moment in script:
        if do == "blocks":
            for _ in range(argument):
                model.block(stack.pushed)
                stack.run(*steps_of(stack.pushed), by=executor)
        elif not model.head:
            continue  # the first action makes the machine
        elif do in ("event", "sweep"):
            faults = Faults(() if at is None else (at,), moment)
            dumper = stack.dumper(faults)
            with suppress(Killed):
                if do == "event":
                    dumper.make_due(MACHINE, argument, deadline=NEVER)
                else:
                    dumper.sweep(deadline=NEVER)
        else:
            call = getattr(stack.dumper(), do)
            call(MACHINE, *([argument] if do == "set_count" else []))
            model.call(do, argument)
    stack.dumper().sweep(deadline=NEVER)
    assert {number: stack.entries(number) for number in stack.taken()} == model.expected
    if model.head:
        stack.assert_whole()


def test_what_the_announcer_says_is_due_is_what_the_model_says() -> None:
    stack, model = Stack(schedule=Schedule.new(3)), Model(True, 3)
    said: list[bool] = []

    class Bus:
        def publish(self, announcements: Sequence[Any]) -> None:
            said.extend(b'"snapshot_due":true' in each.detail for each in announcements[::2])

    for count in (3, 2, None, 4):
        if stack.head():
            stack.dumper().set_count(MACHINE, count)
            model.call("set_count", count)
        for _ in range(8):
            model.block(stack.pushed)
            block = stack.run(*steps_of(stack.pushed))
            Announcer(stack.machines, Bus()).announce([block])
    assert [number for number, due in enumerate(said, 1) if due] == sorted(model.expected)


def test_one_event_makes_up_for_all_that_were_lost_before_it() -> None:
    stack = Stack(schedule=Schedule.new(4))
    stack.grow(30)
    made = stack.dumper().make_due(MACHINE, 17, deadline=NEVER)
    assert [manifest.number for manifest in made] == [4, 8, 12, 16] == stack.taken()
    assert stack.dumper().make_due(MACHINE, 12, deadline=NEVER) == []
    assert stack.dumper().sweep(deadline=NEVER).keys() == {MACHINE}
    assert stack.taken() == [4, 8, 12, 16, 20, 24, 28]
    assert stack.dumper().sweep(deadline=NEVER) == {}


def test_an_event_of_a_block_that_is_not_there_yet_makes_nothing_of_the_future() -> None:
    stack = Stack(schedule=Schedule.new(4))
    stack.grow(5)
    stack.dumper().make_due(MACHINE, 1_000, deadline=NEVER)
    stack.dumper().set_count(MACHINE, 3)
    stack.grow(5)
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken() == [4, 6, 9]


def test_when_time_is_short_one_is_made_and_the_next_call_goes_on() -> None:
    stack = Stack(schedule=Schedule.new(2))
    stack.grow(8)
    for expected in ([2], [2, 4], [2, 4, 6], [2, 4, 6, 8], [2, 4, 6, 8]):
        stack.dumper().make_due(MACHINE, 8, deadline=0.0)
        assert stack.taken() == expected


def test_a_sweep_without_time_leaves_everything_for_the_next() -> None:
    stack = Stack(schedule=Schedule.new(2))
    stack.grow(8)
    assert stack.dumper().sweep(deadline=0.0) == {}
    assert stack.taken() == []


def test_one_machines_trouble_does_not_keep_a_sweep_from_the_others() -> None:
    stack = Stack(schedule=Schedule.new(2))
    for machine in ("a", "b", "c"):
        stack.grow(4, machine)
        stack.dumper().make_due(machine, 2, deadline=NEVER)
    stack.lose_block(3, "b")
    with pytest.raises(Corrupted, match="machine 'b'"):
        stack.dumper().sweep(deadline=NEVER)
    assert [stack.taken(machine) for machine in ("a", "b", "c")] == [[2, 4], [2], [2, 4]]


def test_a_snapshot_that_was_asked_for_counts_as_made() -> None:
    stack = Stack(schedule=Schedule.new(4))
    stack.grow(9)
    for number in (3, 4, 8):
        stack.dumper().dump_now(MACHINE, number)
    assert stack.dumper().make_due(MACHINE, 9, deadline=NEVER) == []
    assert stack.taken() == [3, 4, 8]


# -- settings that change while a dumper works -----------------------------------------------------


def positions() -> int:
    """How many steps a dumper takes for the two snapshots below."""
    faults = Faults()
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(10)
    stack.dumper(faults).make_due(MACHINE, 10, deadline=NEVER)
    return len(faults.steps)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(positions()))
def test_a_dumper_held_back_anywhere_while_settings_and_head_move_on(
    position: int, moment: Moment
) -> None:
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(10)

    def meanwhile() -> None:
        stack.dumper().set_count(MACHINE, 3)
        stack.grow(10)

    dumper = stack.dumper(Faults({position}, moment, meanwhile))
    dumper.make_due(MACHINE, 20, deadline=NEVER)
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken() == [5, 10, 12, 15, 18]
    assert stack.verify().ok


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(2))
def test_a_dumper_held_back_at_its_first_looks_dumps_nothing_by_settings_that_are_over(
    position: int, moment: Moment
) -> None:
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(10)
    stack.dumper().make_due(MACHINE, 10, deadline=NEVER)

    def meanwhile() -> None:
        stack.dumper().set_count(MACHINE, 4)
        stack.grow(10)

    faults = Faults({position}, moment, meanwhile)
    stack.dumper(faults).make_due(MACHINE, 20, deadline=NEVER)
    assert stack.head() == 20
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken() == [5, 10, 12, 16, 20]


def due_by_the_kept_history(stack: Stack) -> list[int]:
    record = stack.machines.get(MACHINE)
    assert record is not None
    return [number for number in range(1, stack.head() + 1) if record.schedule.due(number)]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(4))
def test_a_setting_held_back_anywhere_while_blocks_come_and_are_dumped(
    position: int, moment: Moment
) -> None:
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(7)
    taken: list[int] = []

    def meanwhile() -> None:
        stack.grow(4)
        stack.dumper().make_due(MACHINE, 11, deadline=NEVER)
        taken.extend(stack.taken())

    faults = Faults({position}, moment, meanwhile)
    stack.dumper(faults).set_count(MACHINE, 3)
    assert "machines.set_schedule" in faults.steps
    assert taken
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken() == due_by_the_kept_history(stack)
    assert set(taken) <= set(stack.taken())
    assert stack.verify().ok


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(20))
def test_a_setting_that_comes_late_while_a_dumper_works(position: int, moment: Moment) -> None:
    """Its head is an old one: it holds from a block that the dumper is just passing over."""
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(7)
    stack.dumper().make_due(MACHINE, 7, deadline=NEVER)
    record, head = stack.machines.get(MACHINE), stack.log.head(MACHINE)
    stack.grow(5)

    def late() -> None:
        """What was read long ago is written now, if it still can be."""
        reads: dict[str, Any] = {"get": record, "head": head}

        class Old:
            def __init__(self, port: Any) -> None:
                self.port = port

            def __getattr__(self, name: str) -> Any:
                if name in reads:
                    return lambda machine: reads.pop(name)
                return getattr(self.port, name)

        old: Any = Old
        late_one = replace(stack.dumper(), log=old(stack.log), machines=old(stack.machines))
        late_one.set_count(MACHINE, 4)

    faults = Faults({position}, moment, late)
    stack.dumper(faults).make_due(MACHINE, 12, deadline=NEVER)
    assert len(faults.steps) > position
    stack.dumper().sweep(deadline=NEVER)
    assert set(due_by_the_kept_history(stack)) <= set(stack.taken())
    assert stack.verify().ok


@given(
    choices=st.lists(st.integers(0, 2), max_size=80),
    counts=st.lists(st.none() | st.integers(1, 4), max_size=3),
    own=st.integers(1, 4),
)
def test_no_snapshot_is_missing_whoever_races_whom(
    choices: list[int], counts: list[int | None], own: int
) -> None:
    """An executor, settings and a dumper at once: due is what the kept history says."""
    stack = Stack(schedule=Schedule.new(own))
    stack.grow(2)
    turns = Turns(choices)
    log, machines = stack.log, stack.machines

    def through(player: int) -> Stack:
        return Stack(
            turns.shared(log, player),
            stack.table,
            turns.shared(machines, player),
            turns.shared(stack.objects, player),
            stack.clock,
            pushed=stack.pushed,
        )

    players = [through(player) for player in range(3)]

    def set_counts() -> None:
        for count in counts:
            players[1].dumper().set_count(MACHINE, count)

    def dump() -> None:
        for _ in range(3):
            players[2].dumper().make_due(MACHINE, 100, deadline=NEVER)

    turns.play([lambda: players[0].grow(6), set_counts, dump])
    stack.dumper().sweep(deadline=NEVER)
    assert set(due_by_the_kept_history(stack)) <= set(stack.taken())
    assert stack.verify().ok
