"""A plan changes nothing, and predicts to the key what carrying it out does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.restore import Plan, Target
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
    plan = stack.restorer().plan(target)
    assert stack.contents() == before
    done = stack.restorer().carry_out(target, deadline=NEVER)
    assert plan == Plan(
        machine=done.block.machine,
        source=MACHINE,
        number=done.restored,
        hash=done.block.body.origin.hash,  # type: ignore[union-attr]
        digest=done.block.header.digest,
        rows=len(stack.rows(done.block.machine)),
        writes=done.written,
        deletes=done.deleted,
        next=done.block.number,
        snapshot=number in taken,
    )


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
    assert (plan.writes, plan.deletes) == (done.written, done.deleted)
    assert plan.deletes > 0
    assert stack.stored() == stack.state_at(number)
    stack.assert_whole()


def test_a_plan_makes_no_snapshot_but_says_whether_there_is_one() -> None:
    stack = Stack()
    stack.grow(4)
    assert stack.restorer().plan(Target(MACHINE, block=3)).snapshot is False
    assert stack.taken() == []
    stack.dumper().dump(MACHINE, 3)
    assert stack.restorer().plan(Target(MACHINE, block=3)).snapshot is True
