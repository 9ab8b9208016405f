"""While a backlog lasts, the state table lags on purpose: how far, for how long, and who may."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from blockfold import Block, Context, Machine, Message, State, action
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryMachines,
    MemoryObjectStore,
    MemoryStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.execute import Executor, Folded
from blockfold.application.read import Reader
from blockfold.application.tail import Bounds
from blockfold.domain.canonical import decode
from blockfold.ports import Row, Write
from tests.clocks import SetClock
from tests.strategies import message

MACHINE = "grove"


class Counter(Machine):
    @action(keys="count/{name}")
    def add(self, state: State, context: Context, name: str) -> None:
        state[f"count/{name}"] = state.get(f"count/{name}", 0) + 1


class CountedTable(MemoryStateTable):
    """Counts the rows written, and keeps the requests for keys."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.asked: list[list[str]] = []

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        self.written += len(writes)
        super().write(machine, writes)

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        self.asked.append(list(keys))
        return super().get(machine, keys)


@dataclass
class Queue:
    """Hands out what was not acknowledged, in order, ten at a time."""

    waiting: list[Message] = field(default_factory=list)
    sent: int = 0
    deliveries: int = 0

    def send(self, *names: str) -> None:
        self.sent += 1
        asked = [{"type": "add", "args": {"name": name}} for name in names]
        self.waiting.append(message(self.sent, asked))

    def feed(self, executor: Executor) -> Folded:
        batch = self.waiting[:10]
        self.deliveries += len(batch)
        folded = executor.fold(MACHINE, batch, deadline=1e9, backlog=len(batch) == 10)
        again = {each.id for each in folded.again}
        self.waiting = [each for each in self.waiting if each not in batch or each.id in again]
        return folded


class CountedLog(MemoryBlockLog):
    """Counts how often blocks are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        self.reads += 1
        return super().read(machine, first, last)


@dataclass
class Stack:
    clock: SetClock = field(default_factory=SetClock)
    log: CountedLog = field(default_factory=CountedLog)
    table: CountedTable = field(default_factory=CountedTable)
    machines: MemoryMachines = field(default_factory=MemoryMachines)
    queue: Queue = field(default_factory=Queue)
    snapshots: ObjectSnapshots = field(default_factory=lambda: ObjectSnapshots(MemoryObjectStore()))

    def executor(self, bounds: Bounds | None = None) -> Executor:
        return Executor(
            machine=Counter(),
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self.snapshots,
            clock=self.clock,
            bounds=bounds or Bounds(),
        )

    @property
    def log_reads(self) -> int:
        return self.log.reads

    @property
    def flushed(self) -> int:
        record = self.machines.get(MACHINE)
        assert record is not None
        return record.flushed

    @property
    def head(self) -> int:
        newest = self.log.head(MACHINE)
        return newest.number if newest else 0

    def count(self, name: str) -> object:
        reader = Reader(self.log, self.table, self.machines, self.snapshots)
        return decode(reader.state(MACHINE, key=f"count/{name}").entries[f"count/{name}"])


@pytest.fixture
def stack() -> Stack:
    return Stack()


def test_many_writes_to_a_key_become_one_and_the_table_is_current_once_the_queue_is_empty(
    stack: Stack,
) -> None:
    executor = stack.executor()
    for number in range(500):
        stack.queue.send(f"n{number % 7}")
    while stack.queue.waiting:
        folded = stack.queue.feed(executor)
        done = [
            bytes(record.args)
            for block in stack.log.read(MACHINE, 1)
            for _, _, record in block.body.actions
        ]
        assert stack.count("n0") == done.count(b'{"name":"n0"}'), "readers see the newest block"
    assert not folded.deferred
    assert stack.flushed == stack.head
    assert stack.table.written == 7 + 7, "once when it was cold, once in the end"
    assert stack.queue.deliveries == 500 + (stack.head - 2), "one more for each deferral"
    assert sum(block.actions for block in stack.log.read(MACHINE, 1)) == 500


def test_the_lag_has_bounds_of_blocks_of_bytes_and_of_time(stack: Stack) -> None:
    for bounds in (Bounds(lag_blocks=3), Bounds(lag_payload=4_000), Bounds(lag_seconds=3.0)):
        executor = stack.executor(bounds)
        lags: list[int] = []
        for _ in range(120):
            stack.queue.send("a")
        while len(stack.queue.waiting) >= 10:
            stack.clock.seconds += 1
            stack.queue.feed(executor)
            lags.append(stack.head - stack.flushed)
        stack.queue.feed(executor)
        assert 2 <= max(lags) <= 4
        assert lags.count(0) >= 3
        assert stack.flushed == stack.head


def test_an_executor_that_does_not_keep_up_with_a_machine_flushes_at_once(stack: Stack) -> None:
    one, other = stack.executor(), stack.executor()
    for _ in range(60):
        stack.queue.send("a")
    assert not stack.queue.feed(one).deferred, "it was cold"
    assert stack.queue.feed(one).deferred
    assert not stack.queue.feed(other).deferred, "it was cold"
    folded = stack.queue.feed(one)
    assert folded.conflicts == 1
    assert not folded.deferred
    assert stack.queue.feed(one).deferred


def test_a_batch_that_brings_nothing_new_ends_the_lag(stack: Stack) -> None:
    executor = stack.executor()
    for _ in range(20):
        stack.queue.send("a")
    stack.queue.feed(executor)
    assert stack.queue.feed(executor).deferred
    (kept,) = stack.queue.waiting
    again = executor.fold(MACHINE, [kept] * 10, deadline=1e9, backlog=True)
    assert not again.deferred
    assert again.again == []
    assert stack.flushed == stack.head


def test_a_lag_ends_also_when_its_executor_is_gone(stack: Stack) -> None:
    executor = stack.executor()
    for _ in range(25):
        stack.queue.send("a")
    stack.queue.feed(executor)
    assert stack.queue.feed(executor).deferred
    while stack.queue.waiting:
        stack.queue.feed(stack.executor())
    assert stack.flushed == stack.head
    assert stack.count("a") == 25


def test_declared_keys_are_read_together_once(stack: Stack) -> None:
    for number in range(9):
        stack.queue.send(f"n{number}", f"n{number + 1}")
    executor = stack.executor()
    stack.queue.feed(executor)
    assert stack.table.asked == [[f"count/n{number}" for number in range(10)]]
    stack.queue.send("n3", "x")
    stack.queue.feed(executor)
    assert stack.table.asked[1:] == [["count/x"]]
