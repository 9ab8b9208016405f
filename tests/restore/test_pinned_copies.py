"""A block names only what was read whole, also where an older copy is pinned already."""

from __future__ import annotations

import pytest

from blockfold.domain.errors import Corrupted
from tests.snapshots.stack import Stack, put


def with_another_copy() -> tuple[Stack, str]:
    """Block 9 is pinned; its snapshot was removed since, and will be made again, otherwise."""
    stack = Stack()
    stack.grow(12)
    stack.restore(9)
    stack.grow(4)
    (pinned,) = (each.key for each in stack.objects.list("machines/m/pinned/"))
    stack.snapshots.retire(stack.snapshots.open(pinned))
    stack.clock.milliseconds += 24 * 3_600_000
    return stack, pinned


def test_a_copy_with_a_rotten_run_is_told_before_a_block_names_it() -> None:
    stack, pinned = with_another_copy()
    for run in stack.snapshots.open(pinned).runs:
        stack.objects.replace(run.key, b"rotten")
    before, head = stack.objects.get(pinned), stack.head()
    with pytest.raises(Corrupted, match=f"{pinned} is damaged") as told:
        stack.restore(9)
    assert "repair" in (told.value.hint or "")
    assert stack.head() == head
    # Forks may live on its other runs, so it stays as it is.
    assert stack.objects.get(pinned) == before
    stack.run(put("after", 1))
    assert stack.stored()["after"] == 1


def test_an_unreadable_copy_is_told_before_a_block_names_it() -> None:
    stack, pinned = with_another_copy()
    stack.objects.replace(pinned, b"{}")
    head = stack.head()
    with pytest.raises(Corrupted, match="repair"):
        stack.restore(9)
    assert stack.head() == head
    stack.run(put("after", 1))


def test_a_sound_copy_with_other_runs_is_named() -> None:
    stack, pinned = with_another_copy()
    before = stack.objects.get(pinned)
    done = stack.restore(9)
    assert (done.manifest, stack.objects.get(pinned)) == (pinned, before)
    assert stack.stored() == stack.state_at(9)
    stack.assert_whole()
