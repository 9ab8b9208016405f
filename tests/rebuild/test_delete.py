"""A deletion removes one machine and nothing else, wherever it dies, and never its heirs' state."""

from __future__ import annotations

from typing import Any

import pytest

from blockfold.application.drill import scratch_of
from blockfold.application.lost import GONE
from blockfold.domain.canonical import encode
from blockfold.domain.errors import Corrupted, NotFound, Refused
from blockfold.domain.keys import machine_prefix
from blockfold.ports import Write
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.points import at_each
from tests.properties.histories import MACHINE, NEVER
from tests.rebuild.test_drill import TickingClock
from tests.rebuild.test_rebuild import grown
from tests.rebuild.world import World
from tests.snapshots.stack import put


def alone() -> World:
    """A machine with a past, and a neighbour whose id begins with its own."""
    world = World()
    world.grow(9)
    world.restore(3)
    world.run(put("only", "here"), machine=f"{MACHINE}m")
    for machine in (MACHINE, f"{MACHINE}m"):
        world.keep(machine)
    return world


def left_of(world: World, machine: str = MACHINE) -> dict[str, Any]:
    """All that is there of a machine."""
    return {
        "record": world.machines.get(machine),
        "blocks": world.blocks(machine),
        "rows": list(world.table.scan(machine)),
        "scratch": list(world.table.scan(scratch_of(machine))),
        "objects": [each.key for each in world.objects.list(machine_prefix(machine))],
    }


NOTHING = {"record": None, "blocks": [], "rows": [], "scratch": [], "objects": []}


def test_all_of_it_goes_and_nothing_else() -> None:
    world = alone()
    neighbour = left_of(world, f"{MACHINE}m")
    before = left_of(world)
    world.table.write(scratch_of(MACHINE), [Write("left", encode(1), 1)])
    plan = world.deleter().plan(MACHINE)
    sizes = [each.bytes for each in world.objects.list(machine_prefix(MACHINE))]
    assert (plan.head, plan.blocks, plan.heirs, plan.begun) == (10, 10, (), False)
    assert (plan.rows, plan.objects, plan.bytes) == (len(before["rows"]), len(sizes), sum(sizes))
    seen: list[tuple[str, int]] = []
    done = world.deleter().carry_out(plan, lambda what, count: seen.append((what, count)))
    assert (done.rows, done.blocks, done.objects) == (plan.rows, plan.blocks, plan.objects)
    assert not done.late
    assert [what for what, _ in seen] == ["rows", "blocks", "objects", "objects"]
    assert left_of(world) == NOTHING
    assert left_of(world, f"{MACHINE}m") == neighbour
    assert world.verify(f"{MACHINE}m").ok


def test_the_name_is_free_again() -> None:
    world = alone()
    world.delete()
    assert world.run(put("anew", 1), by=world.archived_executor()).number == 1
    world.keep()
    world.assert_whole()
    assert world.stored() == {"anew": 1}


def test_a_machine_with_heirs_is_refused_and_nothing_is_touched() -> None:
    world = grown()
    world.restore(1, machine="copy", fork="copy of the copy")
    world.keep("copy of the copy")
    before = world.contents()
    assert world.deleter().plan(MACHINE).heirs == ("copy",)
    for machine, heir in ((MACHINE, "copy"), ("copy", "copy of the copy")):
        with pytest.raises(Refused, match=f"{heir} was forked from it"):
            world.delete(machine)
    assert world.contents() == before
    for machine in ("copy of the copy", "copy", MACHINE):
        world.delete(machine)
    assert world.contents() == {"records": [], "blocks": {}, "rows": {}, "objects": {}}


def test_heirs_are_known_from_the_bucket_if_the_tables_are_lost() -> None:
    world = grown()
    world.lose()
    with pytest.raises(Refused, match="copy was forked from it"):
        world.delete()
    world.delete("copy")
    world.delete()
    assert list(world.objects.list("")) == []


def test_an_heir_of_which_nobody_can_tell_is_no_reason_to_go_on() -> None:
    world = grown()
    world.lose()
    for each in world.objects.list("machines/copy/archive/"):
        world.objects.replace(each.key, b"damaged")
    with pytest.raises(Corrupted, match="machines/copy/archive"):
        world.deleter().plan(MACHINE)


def test_what_is_not_there_cannot_be_deleted() -> None:
    world = alone()
    with pytest.raises(NotFound, match="no machine 'nobody'"):
        world.deleter().plan("nobody")
    world.delete()
    with pytest.raises(NotFound):
        world.delete()


def test_what_comes_late_goes_by_another_deletion() -> None:
    world = alone()
    blocks = world.blocks()
    world.delete()
    world.archive.write(blocks[-2:])
    folded = world.archived_executor().fold(MACHINE, [world.message(put("x", 1))], deadline=NEVER)
    assert isinstance(folded.error, Corrupted)
    world.delete()
    assert left_of(world) == NOTHING


def test_it_waits_for_the_archiver_and_goes_on_without_it() -> None:
    class Archiving(TickingClock):
        waits = 0

        def sleep(self, seconds: float) -> None:
            self.waits += 1
            if self.waits == 3:
                world.archive.write(blocks)

    world = alone()
    world.run(put("new", 1))
    blocks = world.blocks()[-1:]
    world.clock = clock = Archiving(world.clock.milliseconds)
    assert not world.delete().late
    assert clock.waits == 3
    assert left_of(world) == NOTHING

    world = alone()
    world.run(put("new", 1))
    blocks = []
    world.clock = clock = Archiving(world.clock.milliseconds)
    assert world.delete().late
    assert clock.waits > 100
    assert left_of(world) == NOTHING


STEPS = Faults()
_WORLD = alone()
_DELETER = _WORLD.deleter(STEPS)
_DELETER.carry_out(_DELETER.plan(MACHINE))
PLANNED = Faults()
alone().deleter(PLANNED).plan(MACHINE)


@at_each(
    ("position", "moment"),
    [
        (position, moment)
        for position in range(len(PLANNED.steps), len(STEPS.steps))
        for moment in MOMENTS
    ],
)
def test_killed_anywhere_it_is_never_taken_for_a_new_machine(position: int, moment: Moment) -> None:
    world = alone()
    neighbour = left_of(world, f"{MACHINE}m")
    deleter = world.deleter(Faults(at=[position], moment=moment))
    with pytest.raises(Killed):
        deleter.carry_out(deleter.plan(MACHINE))
    untouched = left_of(world) == left_of(alone())
    gone = left_of(world) == NOTHING
    record = world.machines.get(MACHINE)
    assert untouched or gone or (record is not None and record.flushed == GONE)
    if not untouched and not gone:
        # Whoever lets actions in too early changes nothing.
        messages = [world.message(put("early", 1))]
        folded = world.archived_executor().fold(MACHINE, messages, deadline=NEVER)
        assert isinstance(folded.error, Corrupted)
        assert world.deleter().plan(MACHINE).begun
    if not gone:
        world.delete()
    assert left_of(world) == NOTHING
    assert left_of(world, f"{MACHINE}m") == neighbour


def test_a_deletion_that_was_begun_can_be_taken_back_while_the_bucket_is_whole() -> None:
    world = alone()
    before = world.tables()
    first = STEPS.steps.index("eraser.erase_blocks")
    deleter = world.deleter(Faults(at=[first], moment="after"))
    with pytest.raises(Killed):
        deleter.carry_out(deleter.plan(MACHINE))
    assert world.head() == 0
    world.rebuild()
    assert world.tables() == before
    world.assert_whole()
