"""A superseded segment goes only after what holds its blocks besides was read."""

from __future__ import annotations

import pytest

from blockfold.domain.errors import Corrupted
from blockfold.domain.retention import DAY
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import PruneStack


def test_a_segment_does_not_vouch_for_itself() -> None:
    stack = PruneStack()
    stack.grow(30)
    blocks = stack.blocks()
    for first, last in ((1, 10), (5, 12), (8, 30)):
        stack.archive.write(blocks[first - 1 : last])
    stack.machines.raise_watermark(MACHINE, "archived", 30)
    (large,) = (each for each in stack.archive.segments(MACHINE) if each.first == 8)
    stack.objects.replace(large.key, b"a merge that died before it was read back")
    stack.pass_time(3 * DAY * 1000)
    plan = stack.pruner().plan(MACHINE)
    assert [segment.first for segment in plan.segments] == [5]
    with pytest.raises(Corrupted):
        stack.pruner().carry_out(plan, deadline=NEVER)
    assert [segment.first for segment in stack.archive.segments(MACHINE)] == [1, 5, 8]
