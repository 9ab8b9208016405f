"""Stop the dumper before or after any step; the next event or sweep makes it good (law 8)."""

from __future__ import annotations

import pytest

from blockfold.domain.errors import Unavailable
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Killed, Moment, fail
from tests.points import at_each
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack


def fresh() -> Stack:
    """Two machines of which several snapshots are due, and a restore on the way."""
    stack = Stack(schedule=Schedule.new(4))
    stack.grow(6)
    stack.restore(3)
    stack.grow(6)
    stack.grow(5, "other")
    return stack


def finished() -> Stack:
    stack = fresh()
    stack.dumper().sweep(deadline=NEVER)
    return stack


def rehearse() -> list[str]:
    faults, stack = Faults(), fresh()
    stack.dumper(faults).sweep(deadline=NEVER)
    return faults.steps


STEPS = rehearse()
DONE = finished().contents()
CASES = [
    pytest.param(position, moment, id=f"{position}-{name}-{moment}")
    for position, name in enumerate(STEPS)
    for moment in MOMENTS
]


def test_the_rehearsal_takes_every_kind_of_step() -> None:
    assert set(STEPS) >= {
        "machines.list",
        "machines.get",
        "machines.raise_dumped",
        "log.head",
        "log.get",
        "log.read",
        "log.read.next",
        "objects.list",
        "objects.get",
        "objects.put_new",
    }
    assert finished().taken() == [3, 4, 8, 12]
    assert finished().taken("other") == [4]


@at_each(("position", "moment"), CASES)
def test_killed_anywhere_then_swept(position: int, moment: Moment) -> None:
    stack = fresh()
    with pytest.raises(Killed):
        stack.dumper(Faults({position}, moment)).sweep(deadline=NEVER)
    for machine in (MACHINE, "other"):
        assert stack.verify(machine).ok, "whatever is there is right at any moment"
    stack.dumper().sweep(deadline=NEVER)
    assert stack.contents() == DONE


@at_each(("position", "moment"), CASES)
def test_killed_anywhere_then_the_next_event_comes(position: int, moment: Moment) -> None:
    stack = fresh()
    with pytest.raises(Killed):
        stack.dumper(Faults({position}, moment)).sweep(deadline=NEVER)
    stack.dumper().make_due(MACHINE, 13, deadline=NEVER)
    stack.dumper().make_due("other", 5, deadline=NEVER)
    assert stack.contents() == DONE


@at_each(("position", "moment"), CASES)
def test_a_service_fails_anywhere(position: int, moment: Moment) -> None:
    stack = fresh()
    with pytest.raises(Unavailable, match="injected"):
        stack.dumper(Faults({position}, moment, fail)).sweep(deadline=NEVER)
    stack.dumper().sweep(deadline=NEVER)
    assert stack.contents() == DONE


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(4))
def test_a_setting_killed_anywhere_was_made_or_not(position: int, moment: Moment) -> None:
    stack = finished()
    before = stack.machines.get(MACHINE)
    faults = Faults({position}, moment)
    with pytest.raises(Killed):
        stack.dumper(faults).set_count(MACHINE, 3)
    after = stack.machines.get(MACHINE)
    written = faults.steps.index("machines.set_schedule") if len(faults.steps) > 2 else 99
    made = position > written or (position == written and moment == "after")
    assert (after != before) is made
    assert stack.dumper().set_count(MACHINE, 3).changed is not made
    stack.grow(5)
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken() == [3, 4, 8, 12, 15, 18]
    assert stack.verify().ok
