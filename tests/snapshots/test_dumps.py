"""A dump is of exactly its block, whatever happens meanwhile and however often it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Block
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Moment
from tests.machines_for_tests import model_step
from tests.properties.histories import MACHINE, NEVER
from tests.properties.turns import Turns
from tests.snapshots.stack import Stack, steps_of

BLOCKS, TARGET = 10, 10


def model(number: int) -> dict[str, Any]:
    """The state after so many blocks of a stack that only grew."""
    state: dict[str, Any] = {}
    for each in range(number):
        for step in steps_of(each):
            state = model_step(state, step["do"], step["key"], step.get("value"))
    return state


def rehearse() -> list[str]:
    faults = Faults()
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(BLOCKS)
    stack.dumper(faults).make_due(MACHINE, TARGET, deadline=NEVER)
    return faults.steps


STEPS = rehearse()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(0, len(STEPS), 4))
def test_a_dumper_held_back_while_hundreds_of_blocks_commit(position: int, moment: Moment) -> None:
    stack = Stack(schedule=Schedule.new(5))
    stack.grow(BLOCKS)
    faults = Faults({position}, moment, lambda: stack.grow(300))
    stack.dumper(faults).make_due(MACHINE, TARGET, deadline=NEVER)
    assert stack.head() == BLOCKS + 300
    assert {number: stack.entries(number) for number in stack.taken()} == {
        5: model(5),
        10: model(10),
    }
    for number in (5, 10):
        manifest, block = stack.snapshots.get(MACHINE, number), stack.log.get(MACHINE, number)
        assert manifest is not None
        assert block is not None
        assert (manifest.hash, manifest.digest) == (block.hash, block.header.digest)


def test_a_log_that_hands_out_blocks_that_came_while_it_was_read() -> None:
    """As pages of a query do: what is read late in the scan was committed after its start."""
    stack = Stack()
    stack.grow(20)

    class Growing:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.log, name)

        def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
            number = first
            while last is None or number <= last:
                stack.grow(10)
                block = stack.log.get(machine, number)
                if block is None:
                    return
                yield block
                number += 1

    log: Any = Growing()
    for number in (7, 20, 31):
        replace(stack.dumper(), log=log).dump(MACHINE, number)
        assert stack.entries(number) == model(number)
    assert stack.head() > 300


def test_the_table_is_not_read_for_a_dump() -> None:
    stack = Stack()
    stack.grow(9)
    stack.table = type(stack.table)()
    stack.dumper().dump(MACHINE, 9)
    assert stack.entries(9) == model(9)


@given(st.lists(st.integers(0, 1), max_size=60), st.sampled_from([(100, 100), (100, 40)]))
def test_two_dumps_of_one_block_at_once_leave_one_manifest(
    choices: list[int], parts: tuple[int, int]
) -> None:
    """Even if they cut it into different runs."""
    stack = Stack()
    stack.grow(BLOCKS)
    turns = Turns(choices)
    made: list[Any] = []

    def dump(player: int) -> None:
        own = Stack(
            turns.shared(stack.log, player),
            stack.table,
            turns.shared(stack.machines, player),
            turns.shared(stack.objects, player),
            part=parts[player],
        )
        made.append(own.dumper().dump(MACHINE, TARGET))

    turns.play([lambda: dump(0), lambda: dump(1)])
    manifests = [manifest for manifest, _ in made]
    assert manifests[0] == manifests[1] == stack.snapshots.get(MACHINE, TARGET)
    assert stack.taken() == [TARGET]
    assert stack.entries(TARGET) == model(TARGET)
    assert stack.verify().ok


def test_a_dump_starts_from_the_newest_snapshot_below_it() -> None:
    stack = Stack()
    stack.grow(30)
    stack.dumper().dump(MACHINE, 10)
    stack.dumper().dump(MACHINE, 25)
    read: list[tuple[int, int | None]] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.log, name)

        def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
            read.append((first, last))
            return stack.log.read(machine, first, last)

    log: Any = Watched()
    replace(stack.dumper(), log=log).dump(MACHINE, 20)
    replace(stack.dumper(), log=log).dump(MACHINE, 30)
    replace(stack.dumper(), log=log).dump(MACHINE, 5)
    assert read == [(11, 20), (26, 30), (1, 5)]
    assert {number: stack.entries(number) for number in (5, 20, 30)} == {
        number: model(number) for number in (5, 20, 30)
    }
