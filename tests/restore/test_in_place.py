"""Restoring in place: a block more, whose state is an old block's, in the table itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blockfold.application import catch_up
from blockfold.application.lost import GONE, REBUILDING
from blockfold.application.restore import ATTEMPTS, Target
from blockfold.domain.block import Head
from blockfold.domain.errors import (
    BlockConflict,
    BlockfoldError,
    Corrupted,
    Misconfigured,
    NotFound,
    Refused,
)
from blockfold.domain.replay import chained
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put
from tests.strategies import SENT


@pytest.fixture
def stack() -> Stack:
    """Twelve blocks, all flushed."""
    stack = Stack()
    stack.grow(12)
    return stack


@pytest.mark.parametrize("number", range(1, 13))
def test_the_table_itself_holds_the_state_of_the_block(stack: Stack, number: int) -> None:
    old = stack.state_at(number)
    block = stack.log.get(MACHINE, number)
    assert block is not None
    done = stack.restore(number)
    assert stack.stored() == old == stack.state_at(13)
    assert (done.restored, done.block.number) == (number, 13)
    assert done.block.header.digest == block.header.digest
    assert stack.log.get(MACHINE, 13) == done.block
    stack.assert_whole()


def test_the_block_says_where_its_state_comes_from(stack: Stack) -> None:
    before = stack.blocks()[-1]
    stack.clock.milliseconds = SENT + 50_000
    done = stack.restore(4)
    origin = done.block.body.origin
    source = stack.log.get(MACHINE, 4)
    assert origin is not None
    assert source is not None
    assert (origin.kind, origin.machine, origin.number) == ("restore", MACHINE, 4)
    assert (origin.hash, origin.digest) == (source.hash, source.header.digest)
    assert origin.manifest == done.manifest
    assert stack.snapshots.open(origin.manifest).hash == source.hash
    assert done.block.body.marks == before.body.marks
    assert done.block.header.parent == before.hash
    assert done.block.header.time == SENT + 50_000
    assert done.block.header.ordinal == before.head.ordinal
    assert (done.block.actions, done.block.header.changes) == (0, 0)
    assert len(stack.blocks()) == len(list(chained(Head(machine=MACHINE), stack.blocks()))) == 13


def test_history_is_not_rewritten(stack: Stack) -> None:
    before = [(block.hash, block.payload) for block in stack.blocks()]
    states = [stack.state_at(number) for number in range(13)]
    stack.restore(5)
    stack.grow(3)
    stack.restore(9)
    assert [(block.hash, block.payload) for block in stack.blocks()][:12] == before
    assert [stack.state_at(number) for number in range(13)] == states


def test_restoring_the_block_before_undoes_it(stack: Stack) -> None:
    before = stack.stored()
    stack.restore(3)
    assert stack.stored() != before
    stack.restore(12)
    assert stack.stored() == before
    stack.restore(13)
    assert stack.stored() == stack.state_at(3)
    stack.assert_whole()


def test_restores_reach_across_restores(stack: Stack) -> None:
    third = stack.state_at(3)
    stack.restore(3)  # 13
    stack.grow(4)  # 14 … 17
    sixteenth = stack.state_at(16)
    stack.restore(13)  # 18
    assert stack.stored() == third
    stack.grow(2)  # 19, 20
    stack.restore(16)  # 21
    assert stack.stored() == sixteenth
    stack.restore(18)  # 22
    assert stack.stored() == third
    assert [stack.state_at(number) for number in (3, 13, 18, 22)] == [third] * 4
    stack.assert_whole()


def test_the_head_itself_can_be_restored(stack: Stack) -> None:
    before = stack.rows()
    done = stack.restore(12)
    assert (done.block.number, done.written, done.deleted) == (13, 0, 0)
    assert stack.rows() == before
    stack.assert_whole()


def test_only_the_difference_is_written(stack: Stack) -> None:
    now, old = stack.rows(), stack.reader().state_at(MACHINE, 9).entries
    done = stack.restore(9)
    assert done.written == sum(1 for key, value in old.items() if now.get(key) != value) > 0
    assert done.deleted == len(now.keys() - old.keys()) > 0
    touched = {row.key for row in stack.table.scan(MACHINE) if row.block == 13}
    assert len(touched) == done.written + done.deleted


def test_actions_go_on_from_the_old_state(stack: Stack) -> None:
    old = stack.state_at(4)
    stack.restore(4)
    block = stack.run(put("new", 1))
    assert block.number == 14
    assert stack.stored() == {**old, "new": 1}
    assert block.header.ordinal == 12
    stack.assert_whole()


# -- by snapshot and by time -----------------------------------------------------------------------


def test_by_snapshot(stack: Stack) -> None:
    stack.dumper().dump(MACHINE, 5)
    target = Target(MACHINE, snapshot=5)
    assert stack.restorer().carry_out(target, deadline=NEVER).restored == 5
    assert stack.stored() == stack.state_at(5)


@pytest.mark.parametrize(
    ("time", "number"),
    [
        (SENT + 1, 1),
        (SENT + 5, 5),
        (SENT + 12, 12),
        (SENT + 999, 12),
        (SENT + 1_000, 14),  # of two blocks at the same time, the newest
        (SENT + 1_001, 14),
        (10**15, 14),
    ],
)
def test_by_time(stack: Stack, time: int, number: int) -> None:
    stack.clock.milliseconds = SENT + 1_000
    stack.restore(2)
    stack.restore(3)
    done = stack.restorer().carry_out(Target(MACHINE, time=time), deadline=NEVER)
    assert done.restored == number


def test_a_time_before_the_first_block_is_refused(stack: Stack) -> None:
    with pytest.raises(NotFound, match="had no blocks at that time"):
        stack.restorer().plan(Target(MACHINE, time=SENT))


# -- refusals --------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Target, type[BlockfoldError], str]] = {
    "nothing": (Target(MACHINE), Misconfigured, "exactly one of block, snapshot and time"),
    "two": (Target(MACHINE, block=1, time=1), Misconfigured, "exactly one"),
    "block and snapshot": (Target(MACHINE, block=1, snapshot=1), Misconfigured, "exactly one"),
    "block 0": (Target(MACHINE, block=0), NotFound, r"no block 0 \(its blocks are 1 to 12\)"),
    "block -1": (Target(MACHINE, block=-1), NotFound, "no block -1"),
    "block 13": (Target(MACHINE, block=13), NotFound, "no block 13"),
    "snapshot 13": (Target(MACHINE, snapshot=13), NotFound, "no block 13"),
    "snapshot 5": (Target(MACHINE, snapshot=5), NotFound, "no snapshot of block 5 .*block 5"),
    "time": (Target(MACHINE, time=5), NotFound, "no blocks at that time"),
    "machine": (Target("nobody", block=1), NotFound, "machine 'nobody' has no blocks"),
    "empty machine": (Target("", block=1), NotFound, "has no blocks"),
    "fork into itself": (Target(MACHINE, block=3, fork=MACHINE), Refused, "exists already"),
    "fork into another": (Target(MACHINE, block=3, fork="other"), Refused, "another id"),
}


@pytest.mark.parametrize(("target", "error", "what"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_and_changes_nothing(
    stack: Stack, target: Target, error: type[BlockfoldError], what: str
) -> None:
    stack.grow(2, "other")
    before = stack.contents()
    for _ in range(2):
        with pytest.raises(error, match=what):
            stack.restorer().plan(target)
        with pytest.raises(error, match=what):
            stack.restorer().carry_out(target, deadline=NEVER)
        assert stack.contents() == before


def test_a_machine_that_is_too_busy_is_left_alone(stack: Stack) -> None:
    class Busy:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.log, name)

        def append(self, block: Any) -> None:
            stack.run(put("busy", block.number))
            stack.log.append(block)

    log: Any = Busy()
    with pytest.raises(Refused, match=f"too busy: {ATTEMPTS} times") as caught:
        replace(stack.restorer(), log=log).carry_out(Target(MACHINE, block=3), deadline=NEVER)
    assert isinstance(caught.value.__cause__, BlockConflict)
    assert all(block.body.origin is None for block in stack.blocks())
    assert stack.head() == 12 + ATTEMPTS
    stack.assert_whole()


def test_a_restore_goes_behind_actions_that_were_first(stack: Stack) -> None:
    racing = 3

    class Racing:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.log, name)

        def append(self, block: Any) -> None:
            nonlocal racing
            if racing:
                racing -= 1
                stack.run(put("racing", racing))
            stack.log.append(block)

    log: Any = Racing()
    done = replace(stack.restorer(), log=log).carry_out(Target(MACHINE, block=3), deadline=NEVER)
    assert done.block.number == 16
    assert stack.stored() == stack.state_at(3)
    stack.assert_whole()


# -- when time runs out ----------------------------------------------------------------------------


def test_a_restore_that_runs_out_of_time_says_what_is_done_and_what_is_not(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "CHUNK", 2)
    ticks = iter([0.0, 0.0, 0.0, 9.0])
    clock: Any = type(
        "Clock", (), {"now": lambda self: SENT + 99, "monotonic": lambda self: next(ticks)}
    )()
    restorer = replace(stack.restorer(), clock=clock)
    done = restorer.carry_out(Target(MACHINE, block=3), deadline=5.0)
    assert (done.done, done.block.number, done.written + done.deleted) == (False, 13, 4)
    assert 0 < done.share < 1
    record = stack.machines.get(MACHINE)
    assert record is not None
    assert record.flushed == 12
    assert stack.stored() not in (stack.state_at(3), stack.state_at(12))
    reader = stack.reader()
    assert reader.state(MACHINE).entries == reader.state_at(MACHINE, 3).entries
    stack.run(put("after", 1))
    assert stack.stored() == {**stack.state_at(3), "after": 1}
    stack.assert_whole()


@pytest.mark.parametrize(
    ("says", "why"), [(REBUILDING, "is being rebuilt"), (GONE, "is being deleted")]
)
def test_a_machine_whose_tables_are_being_remade_is_not_restored(
    stack: Stack, says: int, why: str
) -> None:
    plan = stack.restorer().plan(Target(MACHINE, block=4))
    record = stack.machines.get(MACHINE)
    assert record is not None
    stack.machines.put(replace(record, flushed=says))
    for what in (plan, Target(MACHINE, block=4)):
        with pytest.raises(Corrupted, match=why):
            stack.restorer().carry_out(what, deadline=NEVER)
    assert stack.head() == 12
