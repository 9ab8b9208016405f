"""A block names only what was read whole, also where an older copy is pinned already."""

from __future__ import annotations

from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack, put


def test_a_pinned_copy_with_a_rotten_run_gives_way_to_a_sound_snapshot() -> None:
    stack = Stack()
    stack.grow(12)
    stack.restore(9)
    stack.grow(4)
    (pinned,) = (each.key for each in stack.objects.list("machines/m/pinned/"))
    manifest = stack.snapshots.open(pinned)
    # The snapshot of 9 was removed since, and is made again with other runs.
    stack.snapshots.retire(manifest)
    for run in manifest.runs:
        stack.objects.replace(run.key, b"rotten")
    stack.clock.milliseconds += 24 * 3_600_000
    done = stack.restore(9)
    assert done.done
    assert stack.stored() == stack.state_at(9)
    assert stack.snapshots.open(pinned).runs != manifest.runs
    stack.run(put("after", 1))
    assert stack.head(MACHINE) == 19
