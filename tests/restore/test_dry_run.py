"""A plan changes nothing, and predicts to the key what carrying it out does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application import plan as module
from blockfold.application.restore import Plan, Target
from blockfold.domain.errors import Corrupted, Refused
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put
from tests.strategies import keys, small_values

steps = st.lists(
    st.one_of(
        st.fixed_dictionaries({"do": st.just("set"), "key": keys, "value": small_values}),
        st.fixed_dictionaries({"do": st.just("delete"), "key": keys}),
    ),
    max_size=5,
)


@given(st.lists(steps, min_size=1, max_size=8), st.data())
def test_a_plan_predicts_what_is_written(script: list[list[dict[str, Any]]], data: Any) -> None:
    stack = Stack()
    for each in script:
        stack.run(*each)
    if data.draw(st.booleans()):
        stack.restore(data.draw(st.integers(1, stack.head())))
    number = data.draw(st.integers(1, stack.head()))
    fork = data.draw(st.sampled_from([None, "copy"]))
    if data.draw(st.booleans()):
        stack.dumper().dump(MACHINE, data.draw(st.integers(1, stack.head())))
    target = Target(MACHINE, block=number, fork=fork)
    before, taken = stack.contents(), stack.taken()
    present = 0 if fork else len(stack.stored())
    plan = stack.restorer().plan(target)
    assert stack.contents() == before
    done = stack.restorer().carry_out(target, deadline=NEVER)
    base = max((each for each in taken if each <= number), default=None)
    rows = stack.reader().state_at(done.block.machine, done.block.number).entries
    wanted = [row for row in stack.table.scan(done.block.machine) if row.block == plan.next]
    assert plan == Plan(
        kind="restore" if fork is None else "fork",
        machine=done.block.machine,
        source=MACHINE,
        number=done.restored,
        hash=done.block.body.origin.hash,  # type: ignore[union-attr]
        digest=done.block.header.digest,
        rows=len(rows),
        present=present,
        next=done.block.number,
        snapshot=number in taken,
        base=base,
        folded=number - (base or 0),
        estimate=plan.estimate,
    )
    estimate = plan.estimate
    assert estimate is not None
    assert estimate.exact
    assert (estimate.writes, estimate.deletes) == (done.written, done.deleted)
    assert estimate.bytes == sum(
        len(row.key.encode()) + len(row.value) for row in wanted if row.value is not None
    )
    assert estimate.write_units == len(wanted)  # small values: a unit each
    most = replace(plan, estimate=None).most
    for name in ("writes", "deletes", "write_units"):
        assert getattr(most, name) >= getattr(estimate, name)


@pytest.mark.parametrize("number", [3, 12, 14])
def test_a_plan_is_right_although_the_table_lags(number: int) -> None:
    """What is flushed on the way is not the restore's."""
    stack = Stack()
    stack.grow(12)
    for each in range(5):
        stack.lag(put("late", each), put(f"late/{each}", 1))
    assert "late" not in stack.stored()
    assert stack.head() == 17
    before = stack.contents()
    plan = stack.restorer().plan(Target(MACHINE, block=number))
    assert stack.contents() == before
    done = stack.restore(number)
    assert plan.estimate is not None
    assert (plan.estimate.writes, plan.estimate.deletes) == (done.written, done.deleted)
    assert plan.estimate.deletes > 0
    assert stack.stored() == stack.state_at(number)
    stack.assert_whole()


def test_a_plan_without_time_is_an_upper_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 2)
    stack = Stack()
    stack.grow(12)
    whole = stack.restorer().plan(Target(MACHINE, block=3)).estimate
    cut = stack.restorer().plan(Target(MACHINE, block=3), deadline=-1.0).estimate
    assert whole is not None
    assert cut is not None
    assert (whole.exact, cut.exact) == (True, False)
    for name in ("writes", "deletes", "write_units", "requests"):
        assert getattr(cut, name) >= getattr(whole, name)


def test_what_writing_takes_is_counted_by_the_rules_for_items() -> None:
    """A unit for each started KB of the larger of the old and the new item; 25 to a request."""
    stack = Stack()
    stack.run(put("large", "x" * 5_000), *[put(f"k/{n:03}", n) for n in range(60)])
    stack.run(put("large", 1), *[put(f"k/{n:03}", -n - 1) for n in range(60)])
    estimate = stack.restorer().plan(Target(MACHINE, block=1)).estimate
    assert estimate is not None
    assert (estimate.writes, estimate.write_units) == (61, 60 + 5)
    assert estimate.requests == 3 + 1
    assert estimate.read_units == 1
    assert estimate.seconds == pytest.approx(65 / 1_000 + 122 / 20_000, abs=0.05)
    assert estimate.dollars >= 65 * 0.625e-6


# -- a plan that is carried out later --------------------------------------------------------------


def test_actions_since_the_plan_do_not_matter() -> None:
    stack = Stack()
    stack.grow(6)
    plan = stack.restorer().plan(Target(MACHINE, block=3))
    stack.grow(2)
    assert stack.restorer().carry_out(plan, deadline=NEVER).block.number == 9
    assert stack.stored() == stack.state_at(3)
    stack.assert_whole()


def test_a_restore_since_the_plan_makes_it_void() -> None:
    stack = Stack()
    stack.grow(6)
    plan = stack.restorer().plan(Target(MACHINE, block=3))
    stack.restore(4)
    stack.grow(1)
    before = stack.contents()
    with pytest.raises(Refused, match=r"block 7 is another restore .*decide anew"):
        stack.restorer().carry_out(plan, deadline=NEVER)
    assert stack.contents() == before


def test_a_machine_that_came_since_the_plan_is_left_alone() -> None:
    stack = Stack()
    stack.grow(6)
    plan = stack.restorer().plan(Target(MACHINE, block=3, fork="copy"))
    stack.grow(1, "copy")
    before = stack.contents()
    with pytest.raises(Refused, match="'copy' exists already"):
        stack.restorer().carry_out(plan, deadline=NEVER)
    assert stack.contents() == before


def test_a_plan_for_another_past_is_not_carried_out() -> None:
    stack = Stack()
    stack.grow(6)
    plan = replace(stack.restorer().plan(Target(MACHINE, block=3)), hash="0" * 64)
    before = stack.contents()
    with pytest.raises(Corrupted, match="block 3 of machine 'm' is another than was planned"):
        stack.restorer().carry_out(plan, deadline=NEVER)
    assert stack.contents() == before


def test_a_plan_makes_no_snapshot_but_says_whether_there_is_one() -> None:
    stack = Stack()
    stack.grow(4)
    assert stack.restorer().plan(Target(MACHINE, block=3)).snapshot is False
    assert stack.taken() == []
    stack.dumper().dump(MACHINE, 3)
    assert stack.restorer().plan(Target(MACHINE, block=3)).snapshot is True
