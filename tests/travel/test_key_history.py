"""The history of one key, and reads that go backwards through the log."""

from __future__ import annotations

from typing import Any

import pytest

from blockfold.application.travel import FEW_KEYS, LAST_WINDOW, Traveller
from blockfold.domain.errors import Corrupted, NotFound
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, drop, put
from tests.strategies import SENT, message


@pytest.fixture
def stack() -> Stack:
    """``a``: 1, 2, untouched, deleted, restored to 2; then two actions at once."""
    stack = Stack()
    stack.run(put("a", 1))
    stack.run(put("a", 2))
    stack.run(put("b", 1))
    stack.run(drop("a"))
    stack.restore(3)
    stack.restore(2)
    two = [{"type": "run", "args": {"steps": [put("a", 3)]}}] * 2
    assert stack.executor().fold(MACHINE, [message(99, two)], deadline=NEVER).error is None
    return stack


def test_each_value_with_its_block_and_time(stack: Stack) -> None:
    found = list(stack.reader().history(MACHINE, "a"))
    assert [(each.number, each.value) for each in found] == [
        (1, b"1"),
        (2, b"2"),
        (4, None),
        (5, b"2"),  # block 6 restores the same value: no change
        (7, b"3"),
    ]
    assert [each.time - SENT for each in found[:3]] == [1, 2, 4]
    assert found[3].origin is not None
    assert (found[3].origin.kind, found[3].origin.number) == ("restore", 3)
    assert [len(each.actions) for each in found] == [1, 1, 1, 0, 2]
    assert found[0].actions[0].record.type == "run"
    assert found[0].actions[0].id == "message-1/0"


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [(1, 3, [1, 2]), (3, None, [4, 5, 7]), (5, 6, [5]), (6, 6, []), (7, 7, [7]), (3, 3, [])],
)
def test_a_part_of_it(stack: Stack, first: int, last: int | None, numbers: list[int]) -> None:
    found = stack.reader().history(MACHINE, "a", first, last)
    assert [each.number for each in found] == numbers


def test_a_fork_begins_with_what_it_was_given(stack: Stack) -> None:
    stack.restore(2, fork="other")
    (found,) = stack.reader().history("other", "a")
    assert (found.number, found.value) == (1, b"2")
    assert found.origin is not None
    assert (found.origin.kind, found.origin.machine) == ("fork", MACHINE)
    assert list(stack.reader().history("other", "b")) == []


@pytest.mark.parametrize(("first", "last"), [(8, None), (1, 8), (0, 1)])
def test_blocks_that_are_not_there(stack: Stack, first: int, last: int | None) -> None:
    with pytest.raises(NotFound, match="its blocks are 1 to 7"):
        stack.reader().history(MACHINE, "a", first, last)


def test_machines_without_blocks(stack: Stack) -> None:
    with pytest.raises(NotFound, match="no machine 'nobody'"):
        stack.reader().history("nobody", "a")
    stack.machines.register("new")
    assert list(stack.reader().history("new", "a")) == []


def test_a_missing_block_is_found_out(stack: Stack) -> None:
    log: Any = stack.log
    del log._blocks[MACHINE][3]
    for first in (1, 2, 3):
        with pytest.raises(Corrupted, match="3"):
            list(stack.reader().history(MACHINE, "a", first))


# -- reads that go backwards -----------------------------------------------------------------------


class Counting:
    """A log or store that notes what is read of it."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self.read_blocks = 0
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def read(self, machine: str, first: int, last: int | None = None) -> Any:
        for block in self.port.read(machine, first, last):
            self.read_blocks += 1
            yield block

    def get(self, key: str, *rest: Any) -> Any:
        self.runs += "/runs/" in key
        return self.port.get(key, *rest)


def test_a_key_that_was_just_written_needs_neither_old_blocks_nor_runs() -> None:
    stack = Stack()
    stack.run(put("old", 1))
    stack.dumper().dump(MACHINE, 1)
    stack.grow(100)
    objects: Any = Counting(stack.objects)
    log: Any = Counting(stack.log)
    through = Stack(log, stack.table, stack.machines, objects)
    assert set(through.reader().state_at(MACHINE, 101, key="count").entries) == {"count"}
    assert (log.read_blocks <= 4, objects.runs) == (True, 0)
    assert set(through.reader().state_at(MACHINE, 101, key="old").entries) == {"old"}
    assert objects.runs == 1


def test_a_difference_reads_what_lies_between() -> None:
    stack = Stack()
    stack.run(*(put(f"k{i}", i) for i in range(300)))
    stack.dumper().dump(MACHINE, 1)
    stack.grow(200)
    log: Any = Counting(stack.log)
    snapshots = stack.snapshots
    found = Traveller(log, snapshots).difference(MACHINE, 199, 201)
    assert found.changed.keys() >= {"count"}
    assert log.read_blocks < 100


def test_windows_grow_but_stay_small() -> None:
    stack = Stack()
    stack.grow(150)
    asked: list[int] = []

    class Log:
        def read(self, machine: str, first: int, last: int) -> Any:
            asked.append(last - first + 1)
            return stack.log.read(machine, first, last)

    log: Any = Log()
    numbers = [b.number for b in Traveller(log, stack.snapshots).newest_first(MACHINE, 1, 150)]
    assert numbers == list(range(150, 0, -1))
    assert max(asked) == LAST_WINDOW


@pytest.mark.parametrize("missing", [1, 3, 40])
def test_a_gap_is_refused_going_backwards(missing: int) -> None:
    stack = Stack()
    stack.grow(60)
    log: Any = stack.log
    del log._blocks[MACHINE][missing]
    with pytest.raises(Corrupted, match="lacks a block"):
        stack.reader().state_at(MACHINE, 60, key="never")


def test_another_parent_is_refused_going_backwards() -> None:
    stack, other = Stack(), Stack()
    stack.grow(8)
    other.run(put("x", 1))
    other.grow(7)
    log: Any = stack.log
    log._blocks[MACHINE][4] = other.blocks()[3]
    with pytest.raises(Corrupted, match=r"block 5 .*parent"):
        stack.reader().state_at(MACHINE, 8, key="never")


@pytest.mark.parametrize("count", [1, FEW_KEYS, FEW_KEYS + 1, 40])
def test_few_and_many_keys_of_a_snapshot(count: int) -> None:
    stack = Stack()
    stack.run(*(put(f"k/{i:02}", i) for i in range(40)))
    stack.dumper().dump(MACHINE, 1)
    keys = [f"k/{i:02}" for i in range(count)]
    found = Traveller(stack.log, stack.snapshots).values(MACHINE, [*keys, "k/none"], 1)
    assert found == {key: str(i).encode() for i, key in enumerate(keys)}
