"""Random histories of actions, dumps, restores and forks: every way to read the past agrees."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold.application.export import Exporter
from blockfold.application.frames import Stepper
from blockfold.application.travel import Traveller
from blockfold.domain.canonical import decode, encode
from tests.machines_for_tests import Cells
from tests.restore.test_restore_laws import World, acts, operations
from tests.snapshots.stack import Stack

scripts = st.lists(operations, min_size=2, max_size=12)


def world_of(count: int, first: Any, script: list[tuple[str, int, Any]]) -> World:
    world = World(count)
    for name, pick, argument in (first, *script):
        getattr(world, name.replace(" ", "_"))(world.machine(pick), argument)
    return world


def traveller(stack: Stack) -> Traveller:
    return Traveller(stack.log, stack.snapshots)


def keys_of(states: list[dict[str, Any]]) -> list[str]:
    return sorted({key for state in states for key in state})


@given(st.integers(0, 3), acts, scripts)
def test_the_history_of_a_key_folded_is_its_value_at_every_block(
    count: int, first: Any, script: list[tuple[str, int, Any]]
) -> None:
    world = world_of(count, first, script)
    reader = world.stack.reader()
    for machine, states in world.states.items():
        head = len(states) - 1
        for key in [*keys_of(states), "never"] if head else []:
            values = [encode(state[key]) if key in state else None for state in states]
            versions = list(reader.history(machine, key))
            assert [(each.number, each.value) for each in versions] == [
                (number, values[number])
                for number in range(1, head + 1)
                if values[number] != values[number - 1]
            ]
            for start in (2, head):
                part = [each for each in versions if each.number >= start]
                if start <= head:
                    assert list(reader.history(machine, key, start)) == part


@given(st.integers(0, 3), acts, scripts)
def test_point_reads_are_the_state_at_every_block(
    count: int, first: Any, script: list[tuple[str, int, Any]]
) -> None:
    world = world_of(count, first, script)
    for machine, states in world.states.items():
        keys = [*keys_of(states), "never"]
        for number, state in enumerate(states):
            found = traveller(world.stack).values(machine, keys, number)
            assert {key: decode(value) for key, value in found.items()} == state
            if number == 0:
                continue
            for key in keys[-3:]:
                one = world.stack.reader().state_at(machine, number, key=key)
                whole = world.stack.reader().state_at(machine, number)
                assert one.digest == whole.digest
                assert one.entries == {k: v for k, v in whole.entries.items() if k == key}


@given(st.integers(0, 3), acts, scripts)
def test_differences_are_those_of_the_states(
    count: int, first: Any, script: list[tuple[str, int, Any]]
) -> None:
    world = world_of(count, first, script)
    for machine, states in world.states.items():
        for a, old in enumerate(states):
            for b, new in enumerate(states):
                found = traveller(world.stack).difference(machine, a, b)
                assert {k: decode(v) for k, v in found.added.items()} == {
                    key: new[key] for key in new.keys() - old.keys()
                }
                assert {k: decode(v) for k, v in found.removed.items()} == {
                    key: old[key] for key in old.keys() - new.keys()
                }
                assert {k: (decode(x), decode(y)) for k, (x, y) in found.changed.items()} == {
                    key: (old[key], new[key])
                    for key in old.keys() & new.keys()
                    if encode(old[key]) != encode(new[key])  # True is no 1
                }


@given(st.integers(0, 3), acts, scripts, st.sampled_from(["", "a", "a/", "é", "zz"]))
def test_streams_are_the_states_in_key_order(
    count: int, first: Any, script: list[tuple[str, int, Any]], prefix: str
) -> None:
    world = world_of(count, first, script)
    for machine, states in world.states.items():
        for number, state in enumerate(states):
            found = Exporter(traveller(world.stack)).open(machine, number)
            entries = list(found.entries)
            assert [key for key, _ in entries] == sorted(state)
            assert {key: decode(value) for key, value in entries} == state
            assert found.head.keys == len(state)
            _, some = traveller(world.stack).entries(machine, number, prefix)
            assert list(some) == [entry for entry in entries if entry[0].startswith(prefix)]


@settings(max_examples=40)
@given(st.integers(0, 3), acts, scripts)
def test_the_frames_of_every_block_come_out_as_recorded(
    count: int, first: Any, script: list[tuple[str, int, Any]]
) -> None:
    world = world_of(count, first, script)
    stepper = Stepper(traveller(world.stack))
    for machine, states in world.states.items():
        for number in range(1, len(states)):
            done = stepper.step(machine, number, Cells())
            assert done.differences == done.remarks == []
            assert done.again.hash == done.block.hash
            assert len(done.frames) == done.block.actions
            after = [states[number - 1], *map(decoded, stepper.states(done))]
            if done.block.body.origin is None:
                assert after[-1] == states[number]


def decoded(entries: dict[str, bytes]) -> dict[str, Any]:
    return {key: decode(value) for key, value in entries.items()}
