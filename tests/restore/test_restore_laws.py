"""Random histories of actions, dumps, restores and forks, against a model that keeps all states."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.execute import Executor
from blockfold.application.restore import Target
from blockfold.domain.block import Head
from blockfold.domain.replay import chained
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Killed
from tests.machines_for_tests import model_run
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack
from tests.strategies import steps

NAMES = (MACHINE, "fork/1", "fork/2", "fork/3")
pick = st.integers(0, 10**6)
acts = st.tuples(
    st.just("act"), pick, st.lists(st.lists(steps, max_size=3), min_size=1, max_size=3)
)
deaths = st.tuples(pick, st.integers(0, 40), st.sampled_from(MOMENTS))
operations = st.one_of(
    acts,
    acts,
    st.tuples(st.just("restore"), pick, pick),
    st.tuples(st.just("fork"), pick, pick),
    st.tuples(st.just("dump"), pick, pick),
    st.tuples(st.just("sweep"), pick, pick),
    st.tuples(
        st.just("killed restore"),
        pick,
        st.tuples(pick, st.integers(0, 40), st.sampled_from(MOMENTS)),
    ),
    st.tuples(st.just("cold"), pick, pick),
)


class World:
    """A stack, and for each machine the model's state after each of its blocks."""

    def __init__(self, count: int) -> None:
        self.stack = Stack(schedule=Schedule.new(count))
        self.states: dict[str, list[dict[str, Any]]] = {MACHINE: [{}]}
        self.warm: Executor = self.stack.executor()

    def machine(self, pick: int) -> str:
        return list(self.states)[pick % len(self.states)]

    def act(self, machine: str, messages: list[list[dict[str, Any]]]) -> None:
        for each in messages:
            self.stack.run(*each, machine=machine, by=self.warm)
            self.states[machine].append(model_run(self.states[machine][-1], {"steps": each}))

    def restore(self, machine: str, pick: int) -> None:
        states = self.states[machine]
        if len(states) > 1:
            number = 1 + pick % (len(states) - 1)
            self.stack.restore(number, machine)
            states.append(states[number])
            assert self.stack.stored(machine) == states[-1]

    def fork(self, machine: str, pick: int) -> None:
        states = self.states[machine]
        if len(states) > 1 and len(self.states) < len(NAMES):
            number = 1 + pick % (len(states) - 1)
            name = NAMES[len(self.states)]
            self.stack.restore(number, machine, fork=name)
            self.states[name] = [{}, states[number]]
            assert self.stack.stored(name) == states[number]

    def dump(self, machine: str, pick: int) -> None:
        if len(self.states[machine]) > 1:
            self.stack.dumper().dump(machine, 1 + pick % (len(self.states[machine]) - 1))

    def sweep(self, _machine: str, _pick: int) -> None:
        self.stack.dumper().sweep(deadline=NEVER)

    def killed_restore(self, machine: str, how: tuple[int, int, Any]) -> None:
        pick, position, moment = how
        states = self.states[machine]
        if len(states) == 1:
            return
        number = 1 + pick % (len(states) - 1)
        faults = Faults({position}, moment)
        with suppress(Killed):
            self.stack.restorer(faults).carry_out(Target(machine, block=number), deadline=NEVER)
        if self.stack.head(machine) == len(states):
            states.append(states[number])

    def cold(self, _machine: str, _pick: int) -> None:
        self.warm = self.stack.executor()


@given(st.integers(0, 3), acts, st.lists(operations, min_size=3, max_size=16), st.booleans())
def test_every_state_of_every_machine_is_the_models(
    count: int, first: Any, script: list[tuple[str, int, Any]], finished: bool
) -> None:
    world = World(count)
    for name, pick, argument in (first, *script):
        getattr(world, name.replace(" ", "_"))(world.machine(pick), argument)
    stack = world.stack
    for machine, states in world.states.items():
        assert stack.head(machine) == len(states) - 1
        assert [stack.state_at(number, machine) for number in range(len(states))] == states
        assert list(chained(Head(machine=machine), stack.blocks(machine))) == stack.blocks(machine)
        view = stack.reader().state(machine)
        assert view == stack.reader().state_at(machine, view.number)
        assert stack.verify(machine).findings == []
        if finished:
            world.cold(machine, 0)
            world.act(machine, [[{"do": "list", "key": "a", "value": ""}]])
            assert stack.stored(machine) == states[-1]
            stack.assert_whole(machine)
        for number in stack.taken(machine):
            assert stack.entries(number, machine) == states[number]


@given(st.lists(st.lists(steps, max_size=3), min_size=2, max_size=6), pick, pick)
def test_a_state_table_lost_after_restores_comes_back_from_the_log(
    script: list[list[dict[str, Any]]], one: int, two: int
) -> None:
    stack = Stack()
    for each in script:
        stack.run(*each)
    stack.restore(1 + one % stack.head())
    stack.run(*script[0])
    stack.restore(1 + two % stack.head())
    lost, digest = stack.stored(), stack.blocks()[-1].header.digest
    fresh = Stack(stack.log, objects=stack.objects)
    fresh.executor().fold(MACHINE, [], deadline=NEVER)
    assert fresh.stored() == lost
    assert fresh.blocks()[-1].header.digest == digest
    fresh.assert_whole()


@given(st.lists(st.lists(steps, max_size=3), min_size=2, max_size=6), pick, pick)
def test_lost_snapshots_come_back_from_the_log(
    script: list[list[dict[str, Any]]], one: int, two: int
) -> None:
    stack = Stack()
    for each in script:
        stack.run(*each)
    number = 1 + one % stack.head()
    stack.restore(number)
    stack.run(*script[0])
    later = 1 + two % stack.head()
    stack.dumper().dump(MACHINE, later)
    lost = {each: stack.entries(each) for each in (number, later)}
    stack.objects._objects.clear()
    for each in sorted(lost):
        stack.dumper().dump(MACHINE, each)
    assert {each: stack.entries(each) for each in lost} == lost
    stack.assert_whole()
