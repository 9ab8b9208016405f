"""A damaged manifest costs the dumper time, not snapshots; who asks for a state is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key
from blockfold.domain.schedule import Schedule
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack


def dumped(upto: int = 8) -> Stack:
    stack = Stack(schedule=Schedule.new(4))
    stack.grow(upto)
    stack.dumper().make_due(MACHINE, upto, deadline=NEVER)
    return stack


def damage(stack: Stack, *numbers: int) -> list[str]:
    keys = [manifest_key(MACHINE, number) for number in numbers]
    for key in keys:
        stack.objects._objects[key] = b"{}"
    return keys


@pytest.mark.parametrize("numbers", [(8,), (4, 8)])
def test_what_is_due_is_made_from_an_older_snapshot(numbers: tuple[int, ...]) -> None:
    stack = dumped()
    keys = damage(stack, *numbers)
    stack.grow(4)
    told: list[Corrupted] = []
    made = replace(stack.dumper(), passed=told.append).make_due(MACHINE, 12, deadline=NEVER)
    assert [manifest.number for manifest in made] == [12]
    assert [next(key for key in keys if key in each.message) for each in told] == keys[::-1]
    assert stack.entries(12) == stack.state_at(12)
    record = stack.machines.get(MACHINE)
    assert record is not None
    assert record.dumped == 12


def test_a_due_snapshot_that_is_damaged_itself_is_left_to_a_repair() -> None:
    """Stored, damaged before ``dumped`` rose: the dumper goes on, and it stays to be named."""
    stack = dumped()
    stack.grow(4)
    stack.dumper().dump(MACHINE, 12)
    (key,) = damage(stack, 12)
    told: list[Corrupted] = []
    made = replace(stack.dumper(), passed=told.append).make_due(MACHINE, 12, deadline=NEVER)
    assert made == []
    assert len(told) == 1
    record = stack.machines.get(MACHINE)
    assert record is not None
    assert record.dumped == 12
    assert any(key in finding for finding in stack.verify().findings)


def test_a_policy_gets_its_snapshot_all_the_same() -> None:
    stack = dumped()
    damage(stack, 8)
    stack.grow(2)
    manifest, made = stack.dumper().dump(MACHINE, 10, deadline=NEVER, unattended=True)
    assert made
    assert stack.entries(10) == stack.state_at(10)
    assert manifest.number == 10


def test_people_and_restores_are_refused() -> None:
    stack = dumped()
    (key,) = damage(stack, 8)
    stack.grow(2)
    before = stack.contents()
    with pytest.raises(Corrupted, match=key):
        stack.dumper().dump(MACHINE, 10)
    with pytest.raises(Corrupted, match=key):
        stack.restore(10)
    with pytest.raises(Corrupted, match=key):
        stack.state_at(9)
    assert stack.contents() == before
