"""Repair after a rebuild: marks of epochs, and what an older epoch left behind."""

from __future__ import annotations

from blockfold.adapters.bodies import ObjectBodies
from blockfold.application.inspect_bucket import Bucket
from blockfold.application.repair import Repairer
from blockfold.application.repaired import Repaired
from blockfold.application.verify import Verification, Verifier
from blockfold.domain.segments import Segment
from tests.properties.histories import MACHINE
from tests.rebuild.world import World


def bucket_of(world: World) -> Bucket:
    return Bucket(world.objects, world.archive, ObjectBodies(world.objects), world.log)


def verify(world: World) -> Verification:
    snapshots, log = world.snapshots, world.log
    return Verifier(log, world.table, world.machines, snapshots, bucket_of(world)).verify(MACHINE)


def repair(world: World) -> Repaired:
    return Repairer(
        bucket=bucket_of(world),
        log=world.log,
        table=world.table,
        machines=world.machines,
        snapshots=world.snapshots,
        clock=world.clock,
    ).repair(MACHINE)


def rebuilt() -> World:
    """Archived up to block 6, block 7 shipped late by the old epoch, then gone on in a new one."""
    world = World()
    world.grow(6)
    world.keep()
    world.grow(1)
    late = world.log.get(MACHINE, 7)
    assert late is not None
    world.lose()
    world.rebuild()
    world.archive.write([late])
    world.grow(3)
    world.keep()
    return world


def mark_of(world: World) -> Segment:
    return next(each for each in world.archive.segments(MACHINE) if not each.blocks)


def stale_of(world: World) -> Segment:
    return next(
        each for each in world.archive.segments(MACHINE) if (each.first, each.epoch) == (7, 0)
    )


def test_what_an_older_epoch_left_behind_is_no_finding() -> None:
    world = rebuilt()
    assert mark_of(world).epoch == 1
    assert stale_of(world).blocks == 1
    assert verify(world).found == []
    done = repair(world)
    assert done.healed == done.lost == []


def test_a_damaged_mark_of_an_epoch_is_written_again() -> None:
    world = rebuilt()
    mark = mark_of(world)
    right = world.objects.get(mark.key)
    world.objects.replace(mark.key, b"x")
    assert [found.key for found in verify(world).found] == [mark.key]
    assert [healed.key for healed in repair(world).healed] == [mark.key]
    assert world.objects.get(mark.key) == right
    assert verify(world).ok


def test_a_damaged_segment_of_no_history_is_deleted() -> None:
    world = rebuilt()
    stale = stale_of(world)
    world.objects.replace(stale.key, b"x")
    assert [found.key for found in verify(world).found] == [stale.key]
    done = repair(world)
    assert [healed.key for healed in done.healed] == [stale.key]
    assert done.lost == []
    assert world.objects.get(stale.key) is None
    assert verify(world).ok


def test_a_segment_of_another_history_is_named_and_left() -> None:
    """Nobody can say by rule which of the two is right."""
    world, other = rebuilt(), World()
    other.grow(3)
    other.restore(1)
    other.grow(2)
    foreign = other.archive.write(other.log.read(MACHINE, 3, 6))
    for segment in foreign:
        world.objects.put_new(segment.key, other.objects.get(segment.key) or b"")
    keys = {segment.key for segment in foreign}
    assert {found.key for found in verify(world).found} & keys
    done = repair(world)
    assert {lost.key for lost in done.lost} & keys
    assert all(world.objects.get(key) is not None for key in keys)
