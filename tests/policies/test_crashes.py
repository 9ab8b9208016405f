"""Stop announcer, checks and sweep before or after any step; what comes after makes it good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from blockfold.domain.errors import Unavailable
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.ports import Check
from tests.faults import MOMENTS, Faults, Killed, Moment, fail
from tests.policies.world import REDELIVERY, World
from tests.properties.histories import MACHINE, NEVER

OTHER = "other"
ALL = Policy(quiet=1_000, minutes=30, bytes=700)
Do = Callable[[World, Faults], None]


def fresh() -> World:
    """Two machines whose blocks are announced, one with snapshots due by count and a restore."""
    world = World(schedule=Schedule.new(4, ALL))
    for _ in range(4):
        world.announce(world.block())
    world.restore(2)
    world.announce(world.block(), *world.blocks()[-2:])
    world.announce(world.block(OTHER))
    return world


def announce(world: World, faults: Faults) -> None:
    world.announce(*world.blocks(), *world.blocks(OTHER), faults=faults)


def look(world: World, faults: Faults) -> None:
    """One check that makes a snapshot, and one that is put off."""
    for machine in (MACHINE, OTHER):
        check = Check(machine, world.head(machine), 10)
        world.checker(faults).check(check, deadline=NEVER)


def sweep(world: World, faults: Faults) -> None:
    world.move(world.time + 1_000_000)
    world.checker(faults).sweep(deadline=NEVER)


def steps(do: Do) -> list[str]:
    faults = Faults()
    do(fresh(), faults)
    return faults.steps


STEPS = {do: steps(do) for do in (announce, look, sweep)}
CASES = [
    pytest.param(do, position, moment, id=f"{do.__name__}-{position}-{name}-{moment}")
    for do, names in STEPS.items()
    for position, name in enumerate(names)
    for moment in MOMENTS
]


def settled(world: World) -> dict[int, object]:
    """The contents of all snapshots when every timer has come, and one sweep."""
    for _ in range(5):
        world.deliver(REDELIVERY)
    assert not world.queue.waiting
    world.sweep()
    for machine in (MACHINE, OTHER):
        assert world.verify(machine).ok
        assert world.taken(machine)[-1] == world.head(machine)
        for number in world.taken(machine):
            assert world.entries(number, machine) == world.state_at(number, machine)
    return {number: world.entries(number) for number in world.taken()}


EXPECTED = settled(fresh())


def test_the_rehearsals_take_every_kind_of_step() -> None:
    assert set(STEPS[announce]) == {"machines.get_many", "checks.later"}
    assert {"checks.later", "objects.put_new", "machines.note_snapshot"} <= set(STEPS[look])
    assert {"machines.list", "objects.put_new", "machines.note_snapshot"} <= set(STEPS[sweep])
    assert 4 in EXPECTED


@pytest.mark.parametrize(("do", "position", "moment"), CASES)
def test_killed_anywhere_then_all_goes_on(do: Do, position: int, moment: Moment) -> None:
    world = fresh()
    with pytest.raises(Killed):
        do(world, Faults({position}, moment))
    for machine in (MACHINE, OTHER):
        assert world.verify(machine).ok, "whatever is there is right at any moment"
    assert settled(world).items() >= {4: EXPECTED[4]}.items()


@pytest.mark.parametrize(("do", "position", "moment"), CASES)
def test_a_service_fails_anywhere(do: Do, position: int, moment: Moment) -> None:
    world = fresh()
    with suppress(Unavailable):  # checks that cannot be asked for are told, not raised
        do(world, Faults({position}, moment, fail))
    settled(world)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(len(STEPS[look])))
def test_the_head_moves_on_and_settings_change_while_a_check_looks(
    position: int, moment: Moment
) -> None:
    world = fresh()

    def meanwhile() -> None:
        world.dumper().set_count(MACHINE, 3)
        world.announce(world.block())
        world.dumper().stop(MACHINE)
        world.announce(world.block())
        world.dumper().start(MACHINE)
        world.announce(world.block())

    look(world, Faults({position}, moment, meanwhile))
    settled(world)
    record = world.machines.get(MACHINE)
    assert record is not None
    due = {number for number in range(1, world.head() + 1) if record.schedule.due(number)}
    assert due <= set(world.taken())
