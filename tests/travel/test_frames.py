"""Frames: what each action of a block did, and what other code would have made of it."""

from __future__ import annotations

from typing import Any

import pytest

from blockfold import Context, Machine, Message, Reject, State, action
from blockfold.application.execute import Executor
from blockfold.application.frames import Stepper
from blockfold.application.travel import Traveller
from blockfold.domain.apply import unguarded
from blockfold.domain.errors import Corrupted, NotFound, OutOfTime
from blockfold.domain.frames import Rerun
from tests.machines_for_tests import Cells
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put
from tests.strategies import message


class Till(Machine):
    """Counts money."""

    @action
    def put(self, state: State, context: Context, coins: int) -> None:
        if coins < 0:
            raise Reject("no debts")
        state["coins"] = state.get("coins", 0) + coins
        state["last"] = coins
        context.emit("Put", coins=coins)

    @action
    def empty(self, state: State, context: Context) -> None:
        state.clear()

    @action
    def slow(self, state: State, context: Context) -> None:
        raise OutOfTime("ran out of its time of 5 s")


class Generous(Till):
    """Another version: doubles, takes debts, and emits nothing."""

    version = "2"

    @action
    def put(self, state: State, context: Context, coins: int) -> None:
        state["coins"] = state.get("coins", 0) + 2 * coins
        state["last"] = coins


class Wordy(Till):
    """Only says it in other words."""

    @action
    def put(self, state: State, context: Context, coins: int) -> None:
        if coins < 0:
            raise Reject("money cannot be owed")
        super().put(state, context, coins)


ACTIONS: list[dict[str, Any]] = [
    {"type": "put", "args": {"coins": 2}, "id": "mine"},
    {"type": "put", "args": {"coins": -1}},
    {"type": "put", "args": {"coins": "many"}},
    {"type": "slow"},
    {"type": "put", "args": {"coins": 2}},
]


@pytest.fixture
def stack() -> Stack:
    """Block 1: five actions of `Till`; block 2: emptied; block 3: a restore of 1."""
    stack = Stack()
    executor = stack.executor(machine=Till())
    fold(executor, message(1, ACTIONS))
    fold(executor, message(2, [{"type": "empty"}]))
    stack.restore(1)
    return stack


def fold(executor: Executor, each: Message) -> None:
    assert executor.fold(MACHINE, [each], deadline=NEVER).error is None


def step(stack: Stack, number: int, code: Machine) -> Rerun:
    return Stepper(Traveller(stack.log, stack.snapshots)).step(MACHINE, number, code)


def test_a_frame_says_what_its_action_did(stack: Stack) -> None:
    done = step(stack, 1, Till())
    assert [frame.position for frame in done.frames] == [1, 2, 3, 4, 5]
    assert [frame.id for frame in done.frames][:2] == ["mine", "message-1/1"]
    assert [frame.found.outcome for frame in done.frames] == [
        "applied",
        "rejected",
        "malformed",
        "failed",
        "applied",
    ]
    assert [frame.changes for frame in done.frames] == [
        {"coins": b"2", "last": b"2"},
        {},
        {},
        {},
        {"coins": b"4"},  # last is written too, but with the value that it had
    ]
    assert done.frames[0].sender == "AROATEST:tester"
    assert done.differences == done.remarks == []
    assert done.again.hash == done.block.hash


def test_deletions_and_the_states_in_between(stack: Stack) -> None:
    stepper = Stepper(Traveller(stack.log, stack.snapshots))
    done = stepper.step(MACHINE, 2, Till())
    assert done.frames[0].changes == {"coins": None, "last": None}
    assert list(stepper.states(done)) == [{}]
    one, *_, last = stepper.states(stepper.step(MACHINE, 1, Till()))
    assert (one, last) == ({"coins": b"2", "last": b"2"}, {"coins": b"4", "last": b"2"})


def test_a_restore_block_executes_nothing(stack: Stack) -> None:
    done = step(stack, 3, Generous())
    assert (done.frames, done.differences) == ((), [])


def test_other_code_is_found_out_with_action_key_and_digest(stack: Stack) -> None:
    done = step(stack, 1, Generous())
    assert done.remarks == ["Till/1 made the block, this is Generous/2"]
    outcome, coins, events, digest = done.differences
    assert outcome == "action 2 (put) is applied now, recorded is rejected (no debts)"
    assert coins == "key 'coins' is 6 now, recorded is 4; action 5 (put) wrote it last"
    assert events == "0 events are emitted now, other than the 2 recorded"
    assert done.block.header.digest in digest
    assert done.again.header.digest in digest


def test_keys_that_are_written_no_more_or_for_the_first_time(stack: Stack) -> None:
    class Idle(Till):
        @action
        def put(self, state: State, context: Context, coins: int) -> None:
            if coins < 0:
                raise Reject("no debts")
            state["other"] = coins
            context.emit("Put", coins=coins)

    shown = "\n".join(step(stack, 1, Idle()).differences)
    assert "key 'coins' is unchanged now, recorded is 4; no action writes it" in shown
    assert "key 'other' is 2 now, recorded is unchanged; action 1 (put) wrote it last" in shown


def test_other_words_are_no_difference_but_are_told(stack: Stack) -> None:
    done = step(stack, 1, Wordy())
    assert done.differences == []
    assert done.remarks == [
        "Till/1 made the block, this is Wordy/1",
        "action 2 (put) gives another reason: 'money cannot be owed' now, recorded is 'no debts'",
    ]


def test_what_ran_out_of_time_is_taken_over_and_not_repeated(stack: Stack) -> None:
    class Eager(Till):
        @action
        def slow(self, state: State, context: Context) -> None:
            raise AssertionError("must not run")

    assert step(stack, 1, Eager()).differences == []


def test_code_that_knows_none_of_the_actions(stack: Stack) -> None:
    shown = step(stack, 1, Cells()).differences
    assert "action 1 (put) is malformed (unknown action type 'put'" in shown[0]


def test_the_time_of_an_action_is_bounded(stack: Stack) -> None:
    bounded = []

    def guard() -> Any:
        bounded.append(1)
        return unguarded()

    stepper = Stepper(Traveller(stack.log, stack.snapshots), guard)
    stepper.step(MACHINE, 1, Till())
    assert len(bounded) == 4  # all but the one that is taken over


@pytest.mark.parametrize("number", [0, 4, -1])
def test_a_block_that_is_not_there(stack: Stack, number: int) -> None:
    with pytest.raises(NotFound, match=f"no block {number}"):
        step(stack, number, Till())


def test_from_a_snapshot_far_below_only_what_is_asked_is_read() -> None:
    stack = Stack()
    stack.run(*(put(f"k{i:03}", i) for i in range(100)))
    stack.dumper().dump(MACHINE, 1)
    stack.grow(5)
    steps = [put("k050", -1), {"do": "push", "key": "k001", "value": 1}, put("list", 0)]
    stack.run(*steps, {"do": "list", "key": "list", "value": "k00"})
    done = step(stack, 7, Cells())
    assert done.again.hash == done.block.hash
    assert done.frames[0].changes["list"] == (
        b"[" + b",".join(b'"k00%d"' % i for i in range(10)) + b"]"
    )


def test_a_damaged_log_is_refused() -> None:
    stack = Stack()
    stack.grow(4)
    log: Any = stack.log
    del log._blocks[MACHINE][2]
    with pytest.raises(Corrupted, match=r"number is 3, expected 2"):
        step(stack, 4, Cells())
    with pytest.raises(NotFound, match="no block 2"):
        step(stack, 2, Cells())
