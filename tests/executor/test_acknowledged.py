"""Nothing is acknowledged on a head that nobody checked, and no hint stands in an action's way."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from blockfold import Context, Machine, Message, State, action
from blockfold.adapters.memory import MemoryMachines, MemoryStateTable
from blockfold.adapters.system import AlarmGuard
from blockfold.application.execute import Executor
from blockfold.application.tail import Bounds
from blockfold.domain.apply import Verdict
from blockfold.domain.errors import Refused, Unavailable
from blockfold.ports import Row, Watermark, Write
from tests.executor.test_lag import MACHINE, Stack
from tests.strategies import message


class Throttled(MemoryStateTable):
    """Refuses to store some keys, and keys that DynamoDB does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        if any(each.key in self.refused for each in writes):
            raise Unavailable("throttled")
        super().write(machine, writes)

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        if not all(1 <= len(key.encode()) <= 1_024 for key in keys):
            raise Refused("ValidationException: size of a range key")
        return super().get(machine, keys)


class Unraised(MemoryMachines):
    """Does not raise watermarks when it is told not to."""

    broken = False

    def raise_watermark(self, machine: str, name: Watermark, number: int) -> None:
        if self.broken:
            raise Unavailable("throttled")
        super().raise_watermark(machine, name, number)


class Names(Machine):
    @action
    def add(self, state: State, context: Context, names: list[str]) -> None:
        for name in names:
            state[name] = 1


def adds(number: int, names: list[str], producer: str = "", count: int = 0) -> Message:
    sent = message(number, [{"type": "add", "args": {"names": names}}])
    return replace(sent, producer=producer, count=count)


def executor(stack: Stack, machine: Machine, **more: Any) -> Executor:
    return replace(stack.executor(more.pop("bounds", None)), machine=machine, **more)


def test_who_finds_all_done_by_a_counter_looks_how_far_the_table_is() -> None:
    stack = Stack()
    stack.machines = Unraised()
    one, other = executor(stack, Names()), executor(stack, Names())
    for each in (one, other):
        each.fold(MACHINE, [adds(1, ["z"])], deadline=1e9)
    stack.machines.broken = True
    sent = adds(2, ["a"], "p", 1)
    assert one.fold(MACHINE, [sent], deadline=1e9).again == [sent]
    stack.machines.broken = False
    folded = other.fold(MACHINE, [sent], deadline=1e9)
    assert (folded.again, folded.repeated) == ([], 1)
    assert stack.flushed == stack.head == 2


def test_rows_that_are_missing_are_made_up_for_by_who_only_acknowledges() -> None:
    stack = Stack()
    stack.table = table = Throttled()  # type: ignore[assignment]
    bounds = Bounds(chunk=2)
    one, other = (executor(stack, Names(), bounds=bounds) for _ in range(2))
    for each in (one, other):
        each.fold(MACHINE, [adds(1, ["z"])], deadline=1e9)
    first, last = adds(2, ["a", "b"], "p", 1), adds(3, ["c", "d", "e", "f"], "p", 2)
    one.fold(MACHINE, [first], deadline=1e9, flush_deadline=-1)
    table.refused = {"c", "d", "e", "f"}
    assert one.fold(MACHINE, [first, last], deadline=1e9).again == [last]
    table.refused = set()
    assert other.fold(MACHINE, [last], deadline=1e9).again == []
    assert [row.key for row in table.scan(MACHINE)] == ["a", "b", "c", "d", "e", "f", "z"]
    assert stack.flushed == stack.head == 3


def test_news_beyond_the_bounds_are_not_read_into_memory() -> None:
    stack = Stack()
    bounds = Bounds(payload=3_000)
    one, other = executor(stack, Names(), bounds=bounds), executor(stack, Names())
    other.fold(MACHINE, [adds(1, ["z"])], deadline=1e9)
    one.fold(MACHINE, [adds(1, ["z"])], deadline=1e9)
    for number in range(2, 20):
        other.fold(MACHINE, [adds(number, [f"n{number}", "x" * 500])], deadline=1e9)
    folded = one.fold(MACHINE, [adds(20, ["y"])], deadline=1e9)
    assert (folded.again, folded.conflicts) == ([], 1)
    assert stack.flushed == stack.head == 20


class Hinted(Machine):
    @action(keys="count/{name}")
    def add(self, state: State, context: Context, name: str) -> None:
        state[f"count/{name}"] = state.get(f"count/{name}", 0) + 1


@pytest.mark.parametrize("name", ["x" * 2_000, "\U0001f600" * 300])
def test_a_declared_key_that_cannot_be_fails_its_action_and_nothing_else(name: str) -> None:
    stack = Stack()
    stack.table = Throttled()  # type: ignore[assignment]
    asked = [{"type": "add", "args": {"name": each}} for each in (name, "ann")]
    folded = executor(stack, Hinted()).fold(MACHINE, [message(1, asked)], deadline=1e9)
    assert folded.error is None
    assert folded.blocks[0].outcomes == {"applied": 1, "rejected": 0, "failed": 1, "malformed": 0}


class Slow(msgspec.Struct):
    n: int

    def __post_init__(self) -> None:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            pass


class Sloth(Machine):
    @action(keys=("k/{slow}", "k/{name}"))
    def add(self, state: State, context: Context, slow: Slow, name: str = "") -> None:
        state["k"] = 1


def test_no_code_of_the_users_is_run_for_a_hint() -> None:
    asked = [{"type": "add", "args": {"slow": {"n": 1}, "name": "ann"}}]
    began = time.process_time()
    folded = executor(Stack(), Sloth(), guard=AlarmGuard(0.1)).fold(
        MACHINE, [message(1, asked)], deadline=1e9
    )
    assert folded.blocks[0].outcomes["failed"] == 1
    assert time.process_time() - began < 2


def test_nothing_is_read_ahead_for_a_suspect() -> None:
    @contextmanager
    def confine() -> Any:
        yield lambda *_: Verdict("failed", "died", environment=True, died=True)

    stack = Stack()
    suspect = message(1, [{"type": "add", "args": {"name": "ann"}}])
    folded = executor(stack, Hinted(), confine=confine).fold(
        MACHINE, [suspect], deadline=1e9, suspects={suspect.id}
    )
    assert folded.blocks[0].outcomes["failed"] == 1
    assert stack.table.asked == []
