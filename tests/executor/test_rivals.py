"""Executors that a group wanders between: they look first, and write no row twice."""

from __future__ import annotations

from blockfold.application.rivals import LOOK_FROM, Rivals
from tests.executor.test_lag import MACHINE, Stack
from tests.strategies import message


def test_an_estimate_rises_and_falls_with_what_was_seen() -> None:
    rivals = Rivals()
    seen = 0
    while not rivals.likely:
        rivals.note(changed=True)
        seen += 1
    assert 5 <= seen <= 10
    for _ in range(3):
        rivals.note(changed=False)
    assert not rivals.likely
    for number in range(400):
        rivals.note(changed=number % 10 < 5)
    assert abs(rivals.share - 0.5) < 0.2
    assert rivals.likely
    assert LOOK_FROM < 0.5


def test_rows_that_another_executor_stored_are_not_written_again() -> None:
    stack = Stack()
    executors = [stack.executor(), stack.executor()]
    for number in range(40):
        stack.queue.send(f"n{number}")
        stack.queue.feed(executors[number % 2])
    assert stack.flushed == stack.head == 40
    assert stack.table.written == 40
    assert stack.count("n0") == stack.count("n39") == 1


def test_an_executor_whose_machines_wander_looks_first_and_loses_no_more_races() -> None:
    stack = Stack()
    executors = [stack.executor(), stack.executor()]
    conflicts: list[int] = []
    for number in range(60):
        stack.queue.send("a")
        conflicts.append(stack.queue.feed(executors[number % 2]).conflicts)
    assert sum(conflicts[:20]) >= 10
    assert sum(conflicts[30:]) == 0
    for _ in range(30):
        stack.queue.send("a")
        stack.queue.feed(executors[0])
    reads = stack.log_reads
    for _ in range(5):
        stack.queue.send("a")
        stack.queue.feed(executors[0])
    assert stack.log_reads == reads, "who is alone reads nothing"
    assert stack.count("a") == 95


def test_rows_of_another_executor_that_did_not_flush_are_made_up_for() -> None:
    stack = Stack()
    one, other = stack.executor(), stack.executor()
    for number in range(30):
        stack.queue.send(f"n{number}")
    stack.queue.feed(one)
    assert stack.queue.feed(one).deferred
    other.fold(MACHINE, [], deadline=1e9)
    assert stack.queue.feed(one).deferred
    for number in range(9):
        stack.queue.send(f"m{number}")
    assert stack.queue.feed(other).conflicts == 1
    assert stack.flushed == stack.head
    assert stack.count("n28") == 1
    one.fold(MACHINE, [message(999, [{"type": "add", "args": {"name": "z"}}])], deadline=1e9)
    assert stack.flushed == stack.head
    assert stack.table.written == sum(len(b.body.set) for b in stack.log.read(MACHINE, 1))
