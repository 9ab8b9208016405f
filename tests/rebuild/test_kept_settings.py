"""Settings are copied to the bucket whenever they change, and by the compaction for who died."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockfold.adapters.archive import ObjectArchive
from blockfold.application.compact import Compactor
from blockfold.application.dump import Dumper
from blockfold.application.kept_settings import Kept, KeptSettings
from blockfold.application.prune import Pruner
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import settings_key, settings_prefix
from blockfold.domain.retention import Retention
from blockfold.ports import MachineRecord
from tests.faults import MOMENTS, Faults, Killed, Moment, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.rebuild.world import World
from tests.snapshots.stack import put


def dumper(world: World, faults: Faults | None = None) -> Dumper:
    faults = faults or Faults()
    return replace(
        world.dumper(faults), kept=KeptSettings(faulty("objects", world.objects, faults))
    )


def compactor(world: World) -> Compactor:
    kept = KeptSettings(world.objects)
    return Compactor(world.log, world.archive, world.machines, world.clock, kept)


def pruner(world: World) -> Pruner:
    return Pruner(
        log=world.log,
        machines=world.machines,
        snapshots=world.snapshots,
        archive=ObjectArchive(world.objects),
        objects=world.objects,
        clock=world.clock,
    )


def record_of(world: World) -> MachineRecord:
    record = world.machines.get(MACHINE)
    assert record is not None
    return record


def kept(world: World) -> Kept | None:
    return KeptSettings(world.objects).newest(MACHINE)


def assert_kept(world: World) -> None:
    """The newest copy is the record."""
    record, found = record_of(world), kept(world)
    assert found is not None
    assert (found.revision, found.schedule, found.retention) == (
        record.revision,
        record.schedule.settings,
        record.retention,
    )


@pytest.fixture
def world() -> World:
    world = World()
    world.grow(3)
    return world


def test_each_change_of_the_dumper_is_copied(world: World) -> None:
    calls = dumper(world)
    assert kept(world) is None
    for number, call in enumerate(
        (
            lambda: calls.set_count(MACHINE, 7),
            lambda: calls.stop(MACHINE),
            lambda: calls.start(MACHINE),
            lambda: calls.set_policy(MACHINE, minutes=5),
            lambda: calls.set_count(MACHINE, None),
        ),
        1,
    ):
        assert call().changed
        assert record_of(world).revision == number
        assert_kept(world)
    assert len(list(world.objects.list(settings_prefix(MACHINE)))) == 5


def test_a_change_of_the_retention_is_copied(world: World) -> None:
    dumper(world).set_count(MACHINE, 7)
    assert pruner(world).set_retention(MACHINE, Retention(snapshots=3)).changed
    assert_kept(world)
    assert kept(world) == Kept(
        machine=MACHINE,
        revision=2,
        schedule=record_of(world).schedule.settings,
        retention=Retention(snapshots=3),
    )


STEPS = Faults()
_WORLD = World()
_WORLD.grow(3)
dumper(_WORLD, STEPS).set_count(MACHINE, 7)


@pytest.mark.parametrize(
    ("position", "moment"),
    [(position, moment) for position in range(len(STEPS.steps)) for moment in MOMENTS],
)
def test_whoever_dies_before_the_copy_is_made_up_for(
    world: World, position: int, moment: Moment
) -> None:
    with pytest.raises(Killed):
        dumper(world, Faults(at=[position], moment=moment)).set_count(MACHINE, 7)
    dumper(world).set_count(MACHINE, 7)
    assert_kept(world)
    world.objects.delete([each.key for each in world.objects.list(settings_prefix(MACHINE))])
    compactor(world).compact(MACHINE, deadline=NEVER, upto_head=True)
    assert_kept(world)


def test_a_retention_whose_copy_is_missing_is_copied_by_the_same_call(world: World) -> None:
    world.machines.set_retention(MACHINE, Retention(blocks=9))
    assert not pruner(world).set_retention(MACHINE, Retention(blocks=9)).changed
    assert_kept(world)


def test_a_compaction_copies_only_where_the_archive_moved(world: World) -> None:
    compactor(world).compact(MACHINE, deadline=NEVER, upto_head=True)
    assert_kept(world)
    world.objects.delete([settings_key(MACHINE, 0)])
    compactor(world).compact(MACHINE, deadline=NEVER, upto_head=True)
    assert kept(world) is None
    world.run(put("more", 1))
    compactor(world).compact(MACHINE, deadline=NEVER, upto_head=True)
    assert_kept(world)


def test_a_copy_that_is_there_costs_one_read(world: World) -> None:
    faults = Faults()
    settings = KeptSettings(faulty("objects", world.objects, faults))
    settings.keep(record_of(world))
    assert faults.steps == ["objects.get", "objects.put_new"]
    faults.steps.clear()
    settings.keep(record_of(world))
    assert faults.steps == ["objects.get"]


def test_a_revision_that_comes_again_takes_the_place_of_the_old_one(world: World) -> None:
    """The table came back from a backup that is older than the last change."""
    old = record_of(world)
    dumper(world).set_count(MACHINE, 7)
    world.machines.put(old)
    dumper(world).set_count(MACHINE, 9)
    assert_kept(world)
    found = kept(world)
    assert found is not None
    assert (found.revision, found.schedule[-1].count) == (1, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"machine":"other","revision":1,"schedule":[]}',
        b'{"machine":"m","revision":2,"schedule":[]}',
        b'{"machine":"m","revision":1,"schedule":[],"format":2}',
    ],
)
def test_damaged_settings_are_told(world: World, data: bytes) -> None:
    world.objects.put_new(settings_key(MACHINE, 1), data)
    with pytest.raises(Corrupted, match=settings_key(MACHINE, 1)):
        kept(world)
