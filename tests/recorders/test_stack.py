"""What the library records is what a stack's bucket holds, and the other way round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.bodies import ObjectBodies
from blockfold.application.inspect_bucket import Bucket
from blockfold.application.restore import Restorer, Target
from blockfold.application.verify import Verification, Verifier
from blockfold.domain.errors import Corrupted, NotFound, Refused, Unavailable
from blockfold.recorders import MemoryRecorder
from tests.properties.histories import NEVER
from tests.rebuild.world import World
from tests.recorders.playing import Play
from tests.snapshots.stack import put


def recorded() -> tuple[World, Play]:
    """A stack without machines, whose bucket has one that was recorded, with a restore in it."""
    world = World()
    play = Play("lab", MemoryRecorder("lab", objects=world.objects))
    play.begin()
    play.grow(5)
    play.recorder.create_snapshot()
    play.grow(3)
    play.restore(4)
    play.grow(2)
    play.recorder.create_snapshot()
    play.grow(1)
    play.recorder.flush()
    world.clock.milliseconds = play.clock.now() + 10_000
    return world, play


def restorer(world: World) -> Restorer:
    log = ArchivedBlockLog(world.log, world.archive)
    return replace(world.restorer(), log=log, archive=world.archive)


def verified(world: World, machine: str) -> Verification:
    """As `blockfold verify` does, bucket and all."""
    log = ArchivedBlockLog(world.log, world.archive)
    bucket = Bucket(world.objects, world.archive, ObjectBodies(world.objects), world.log)
    return Verifier(log, world.table, world.machines, world.snapshots, bucket).verify(machine)


def replaced(world: World) -> None:
    """Snapshot 11 of the recorded machine is one of another history, sound in itself."""
    other = Play("lab", MemoryRecorder("lab"))
    other.act(put("another", "past"))
    other.grow(10)
    other.recorder.create_snapshot()
    objects = other.recorder.objects
    for each in objects.list("machines/lab/"):
        if "/runs/" in each.key or each.key.endswith("/000000000011.json"):
            world.objects.replace(each.key, objects.get(each.key) or b"")


class TestAFork:
    @pytest.mark.parametrize("target", [Target("lab", snapshot=11), Target("lab", block=11)])
    def test_of_a_recorded_machine_has_its_state_and_names_it(self, target: Target) -> None:
        world, play = recorded()
        planned = restorer(world).plan(replace(target, fork="grove"))
        assert (planned.kind, planned.source, planned.number) == ("fork", "lab", 11)
        assert planned.estimate is not None
        assert planned.estimate.writes == planned.rows == len(play.state(11))
        done = restorer(world).carry_out(replace(target, fork="grove"), deadline=NEVER)
        assert (done.block.machine, done.block.number, done.restored) == ("grove", 1, 11)
        origin = done.block.body.origin
        assert origin is not None
        recorded_block = play.log.get("lab", 11)
        assert recorded_block is not None
        assert (origin.machine, origin.number, origin.hash) == ("lab", 11, recorded_block.hash)
        assert world.stored("grove") == play.state(11)
        world.run(put("goes", "on"), machine="grove")
        assert world.stored("grove") == {**play.state(11), "goes": "on"}
        assert verified(world, "grove").ok, verified(world, "grove").findings

    def test_leaves_the_recorder_its_machine(self) -> None:
        world, play = recorded()
        target = Target("lab", snapshot=5, fork="grove")
        restorer(world).carry_out(target, deadline=NEVER)
        play.grow(2)
        play.recorder.close()
        found = play.recorder.load_snapshot()
        assert (found.number, found.state) == (play.head.number, play.state())

    def test_needs_a_snapshot(self) -> None:
        world, _ = recorded()
        for target in (
            Target("lab", block=7, fork="grove"),
            Target("lab", snapshot=99, fork="grove"),
            Target("lab", time=10**13, fork="grove"),
        ):
            with pytest.raises(NotFound, match="has no blocks here, and no snapshot") as raised:
                restorer(world).plan(target)
            assert "such as 11" in raised.value.hint
            assert "blockfold rebuild lab" in raised.value.hint
        with pytest.raises(NotFound, match=r"machine 'nobody' has no blocks \("):
            restorer(world).plan(Target("nobody", snapshot=1, fork="grove"))
        assert world.machines.get("grove") is None

    def test_cannot_be_of_a_snapshot_that_is_not_the_log_s(self) -> None:
        world, _ = recorded()
        replaced(world)
        with pytest.raises(Corrupted, match="of another block than the archived one"):
            restorer(world).plan(Target("lab", snapshot=11, fork="grove"))

    def test_in_place_is_for_machines_that_are_here(self) -> None:
        world, _ = recorded()
        with pytest.raises(NotFound, match="has no blocks"):
            restorer(world).plan(Target("lab", snapshot=11))

    def test_takes_no_id_that_is_recorded(self) -> None:
        """Its blocks would stand where the recorder's do."""
        world, _ = recorded()
        world.grow(4)
        with pytest.raises(Corrupted, match="archived ones"):
            restorer(world).plan(Target("m", block=4, fork="lab"))

    def test_of_a_machine_whose_tables_were_lost_works_without_them(self) -> None:
        world = World()
        world.grow(10)
        world.keep()
        state = world.state_at(8)
        world.lose()
        restorer(world).carry_out(Target("m", snapshot=8, fork="m2"), deadline=NEVER)
        assert world.stored("m2") == state


class TestARebuild:
    def test_makes_a_recorded_machine_one_of_the_stack(self) -> None:
        world, play = recorded()
        assert world.rebuilder().found() == [], "nobody asked for it"
        done = world.rebuild("lab")
        assert world.rebuilder().found() == ["lab"]
        assert (done.number, done.hash) == (12, play.head.hash)
        assert done.ok
        assert world.stored("lab") == play.state()
        found = verified(world, "lab")
        assert found.ok, found.findings
        assert found.blocks == 12
        for number in (1, 5, 8, 9, 12):
            assert world.state_at_archived(number, "lab") == play.state(number)
        world.pushed = play.pushed  # the same queue goes on
        world.grow(3, machine="lab")
        assert verified(world, "lab").ok
        world.keep("lab")
        assert verified(world, "lab").ok

    def test_can_be_rehearsed_and_deleted(self) -> None:
        world, _ = recorded()
        world.rebuild("lab")
        drill = world.drill()
        assert drill.run("lab").ok
        world.delete("lab")
        assert [each.key for each in world.objects.list("machines/lab/")] == []

    def test_a_recorded_machine_with_heirs_is_not_deleted(self) -> None:
        world, _ = recorded()
        restorer(world).carry_out(Target("lab", snapshot=5, fork="grove"), deadline=NEVER)
        with pytest.raises(Refused, match="grove was forked from it"):
            world.delete("lab")


class TestTheOtherWayRound:
    def test_a_snapshot_that_is_not_the_log_s_is_not_loaded(self) -> None:
        world, play = recorded()
        replaced(world)
        with pytest.raises(Corrupted, match="of another block 11"):
            play.recorder.load_snapshot()

    def test_what_the_dumper_wrote_is_loaded(self) -> None:
        world = World()
        world.grow(6)
        world.restore(2)
        world.grow(6)
        world.keep()
        recorder = MemoryRecorder("m", objects=world.objects)
        assert recorder.get_snapshots()
        for number in recorder.get_snapshots():
            found = recorder.load_snapshot(number)
            assert found is not None
            assert found.checked().state == world.state_at(number)
            assert found.block.hash == world.blocks()[number - 1].hash

    def test_a_snapshot_above_the_archive_is_passed_over_for_an_older_one(self) -> None:
        """The stack's archiver is some seconds behind."""
        world = World()
        world.grow(4)
        world.keep()
        world.grow(4)
        world.dumper().make_due("m", 8, deadline=NEVER)
        recorder = MemoryRecorder("m", objects=world.objects)
        assert recorder.get_snapshots() == [4, 8]
        found = recorder.load_snapshot()
        assert found is not None
        assert (found.number, found.state) == (4, world.state_at(4))
        with pytest.raises(Unavailable, match="is not archived"):
            recorder.load_snapshot(8)
        world.keep()
        later = recorder.load_snapshot(8)
        assert later is not None
        assert later.state == world.state_at(8)
