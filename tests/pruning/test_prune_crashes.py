"""Stop the pruner before or after any step; the next one makes it good (law 8)."""

from __future__ import annotations

import pytest

from blockfold.domain.errors import Unavailable
from blockfold.domain.keys import body_key, run_key
from tests.faults import MOMENTS, Faults, Killed, Moment, fail
from tests.points import at_each
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import DAY, PruneStack, aged


def fresh() -> PruneStack:
    """A machine with something of every kind that goes."""
    stack = aged(24, 6, snapshots=2, blocks=12)
    stack.prune()
    stack.restore(5)
    stack.grow(8)
    stack.dumper().sweep(deadline=NEVER)
    stack.ship()
    stack.merge()
    stack.objects.put_new(run_key(MACHINE, "ab" * 32, 1), b"left by a killed dump")
    stack.objects.put_new(body_key(MACHINE, 20, "cd" * 32), b"left by a lost race")
    stack.pass_time(2 * DAY)
    return stack


def left(stack: PruneStack) -> dict[str, object]:
    """What is left once the copies have gone, too."""
    for _ in range(2):
        stack.prune()
        stack.pass_time(2 * DAY)
    stack.prune()
    return stack.contents()


def rehearse() -> list[str]:
    faults, stack = Faults(), fresh()
    done = stack.pruner(faults).prune(MACHINE, deadline=NEVER)
    assert done.blocks.count
    assert all((done.snapshots, done.copies, done.runs, done.segments, done.bodies))
    return faults.steps


STEPS = rehearse()
DONE = left(fresh())
CASES = [
    pytest.param(position, moment, id=f"{position}-{name}-{moment}")
    for position, name in enumerate(STEPS)
    for moment in MOMENTS
]


def assert_nothing_is_lost(stack: PruneStack) -> None:
    stack.assert_manifests_read()
    stack.assert_every_state_reads()


def test_the_rehearsal_takes_every_kind_of_step() -> None:
    assert set(STEPS) >= {
        "machines.get",
        "machines.raise_watermark",
        "log.head",
        "log.get",
        "log.expire",
        "objects.list",
        "objects.get",
        "objects.put_new",
        "objects.delete",
    }
    assert STEPS.count("objects.delete") >= 5
    assert STEPS.count("machines.raise_watermark") == 3


@at_each(("position", "moment"), CASES)
def test_killed_anywhere_then_run_again(position: int, moment: Moment) -> None:
    stack = fresh()
    with pytest.raises(Killed):
        stack.pruner(Faults({position}, moment)).prune(MACHINE, deadline=NEVER)
    assert_nothing_is_lost(stack)
    assert left(stack) == DONE
    assert_nothing_is_lost(stack)


@at_each(("position", "moment"), CASES)
def test_killed_anywhere_and_run_again_a_week_later(position: int, moment: Moment) -> None:
    """What was marked is gone then, though perhaps nobody noted that it was marked."""
    stack = fresh()
    with pytest.raises(Killed):
        stack.pruner(Faults({position}, moment)).prune(MACHINE, deadline=NEVER)
    stack.pass_time(7 * DAY)
    assert_nothing_is_lost(stack)
    assert left(stack)["objects"] == DONE["objects"]
    assert left(stack)["records"] == DONE["records"]
    assert_nothing_is_lost(stack)


@at_each(("position", "moment"), CASES)
def test_a_service_fails_anywhere(position: int, moment: Moment) -> None:
    stack = fresh()
    with pytest.raises(Unavailable, match="injected"):
        stack.pruner(Faults({position}, moment, fail)).prune(MACHINE, deadline=NEVER)
    assert_nothing_is_lost(stack)
    assert left(stack) == DONE
