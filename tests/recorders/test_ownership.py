"""Nobody is hurt: not a stack's machine, not another process's, not one that was deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.errors import BlockfoldError, Misconfigured, Refused
from blockfold.domain.keys import recorder_key
from blockfold.ports import ObjectStore
from blockfold.recorders import MemoryRecorder
from tests.rebuild.world import World
from tests.recorders.playing import Play, carried_on
from tests.snapshots.stack import put


def contents(objects: ObjectStore) -> dict[str, bytes | None]:
    return {each.key: objects.get(each.key) for each in objects.list("")}


def refused(call: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as raised:
        call()
    return raised.value


def stack() -> World:
    """A stack whose bucket has a machine ``m`` with snapshots, archive and settings."""
    world = World()
    world.grow(10)
    world.keep()
    return world


class TestAStacksMachine:
    @pytest.mark.parametrize(
        "call",
        [
            lambda play: play.begin(),
            lambda play: play.recorder.flush(),
            lambda play: play.recorder.create_snapshot(),
            lambda play: play.recorder.close(),
            lambda play: play.recorder.objects.put_new("machines/m/anything", b""),
            lambda play: play.recorder.objects.replace("machines/m/anything", b""),
            lambda play: play.recorder.objects.delete(["machines/m/snapshots/000000000004.json"]),
        ],
    )
    def test_is_not_written(self, call: Callable[[Play], object]) -> None:
        world = stack()
        play = Play("m", MemoryRecorder("m", objects=world.objects))
        play.grow(2)
        before = contents(world.objects)
        error = refused(lambda: call(play))
        assert "kept there by a stack" in error.message
        assert "another id" in error.hint
        assert contents(world.objects) == before

    @pytest.mark.parametrize("kind", ["archive", "snapshots", "settings", "runs"])
    def test_is_known_by_any_of_its_objects(self, kind: str) -> None:
        world, some = stack(), MemoryObjectStore()
        for each in world.objects.list(f"machines/m/{kind}/"):
            some.put_new(each.key, world.objects.get(each.key) or b"")
        play = Play("m", MemoryRecorder("m", objects=some))
        assert refused(play.begin)

    def test_can_be_loaded(self) -> None:
        world = stack()
        recorder = MemoryRecorder("m", objects=world.objects)
        assert recorder.get_snapshots() == [4, 8]
        found = recorder.load_snapshot()
        assert found is not None
        assert (found.number, found.state) == (8, world.state_at(8))

    def test_a_machine_whose_id_begins_alike_is_another(self) -> None:
        world = stack()
        for name in ("m2", "m/x", "M"):
            play = Play(name, MemoryRecorder(name, objects=world.objects))
            play.begin()
            play.grow(1)
            play.recorder.close()


class TestAnotherProcess:
    def two(self) -> tuple[Play, Play, MemoryObjectStore]:
        """Two processes that both know blocks 1 to 3."""
        objects = MemoryObjectStore()
        first = Play("lab", MemoryRecorder("lab", objects=objects))
        first.begin()
        first.grow(3)
        first.recorder.create_snapshot()
        return first, carried_on(MemoryRecorder("lab", objects=objects)), objects

    @pytest.mark.parametrize("call", ["flush", "create_snapshot", "close"])
    def test_that_recorded_meanwhile_wins(self, call: str) -> None:
        one, other, objects = self.two()
        other.act(put("who", "other"))
        other.recorder.flush()
        one.act(put("who", "one"))
        before = contents(objects)
        one.recorder._shelf.archive.write = never_called
        error = refused(getattr(one.recorder, call))
        assert "another process has recorded machine 'lab'" in error.message
        assert contents(objects) == before
        other.grow(2)
        other.recorder.close()
        again = carried_on(MemoryRecorder("lab", objects=objects))
        assert again.state() == other.state()

    def test_that_recorded_before_this_one_stored_anything_wins(self) -> None:
        objects = MemoryObjectStore()
        plays = [Play("lab", MemoryRecorder("lab", objects=objects)) for _ in range(2)]
        for who, play in enumerate(plays):
            play.begin()
            play.act(put("who", who))
        plays[0].recorder.flush()
        before = contents(objects)
        assert refused(plays[1].recorder.flush)
        assert contents(objects) == before

    def test_that_knows_the_same_blocks_is_no_other(self) -> None:
        one, other, _ = self.two()
        block = other.act(put("same", 1))
        other.recorder.flush()
        one.tell(block)
        one.recorder.create_snapshot()
        other.recorder.create_snapshot()
        assert other.recorder.get_snapshots() == [3, 4]

    def test_at_the_same_moment_leaves_no_two_histories(self) -> None:
        """Each stores between the other's look and its own write: both take theirs away."""
        one, other, objects = self.two()
        one.act(put("who", "one"))
        other.act(put("who", "other"))
        stored: list[str] = []

        archive = one.recorder._shelf.archive
        write = archive.write

        def late(blocks: Any, **options: Any) -> Any:
            stored.append("other")
            other.recorder.flush()
            return write(blocks, **options)

        archive.write = late
        assert refused(one.recorder.flush)
        assert stored == ["other"]
        kept = ObjectArchive(objects).segments("lab")
        assert [(each.first, each.last) for each in kept] == [(1, 3), (4, 4)]
        assert kept[-1].hash == other.head.hash

    def test_a_recorder_that_was_not_told_of_all_is_refused(self) -> None:
        objects = MemoryObjectStore()
        recorder = MemoryRecorder("lab", objects=objects)
        play = Play("lab", Deaf(), objects=MemoryObjectStore())
        play.grow(4)
        play.recorder = recorder
        play.tell(play.head)
        error = refused(recorder.flush)
        assert "blocks 1 to 3 of machine 'lab' were never recorded" in error.message
        assert [each for each in contents(objects) if "archive" in each] == []

    def test_a_frame_that_does_not_follow_is_refused_and_forgotten(self) -> None:
        recorder = MemoryRecorder("lab")
        play = Play("lab", recorder)
        play.grow(2)
        skipped = Play("lab", Deaf(), objects=MemoryObjectStore())
        skipped.grow(4)
        error = refused(lambda: play.tell(skipped.head))
        assert "does not follow" in error.message
        stranger = Play("other", Deaf(), objects=MemoryObjectStore())
        stranger.grow(3)
        assert refused(lambda: play.tell(stranger.head))
        play.grow(1)
        assert recorder.create_snapshot() == 3


def never_called(*_: Any, **__: Any) -> Any:
    raise AssertionError("nothing may be stored, not even to be taken away again")


class Deaf:
    def after_dispatch(self, frame: Any) -> None:
        pass


class TestTakenOver:
    def recorded(self) -> tuple[Play, World]:
        world = World()
        play = Play("lab", MemoryRecorder("lab", objects=world.objects))
        play.begin()
        play.grow(6)
        play.recorder.create_snapshot()
        return play, world

    def test_what_a_stack_rebuilt_is_its_own(self) -> None:
        play, world = self.recorded()
        assert world.rebuild("lab").number == 6
        play.grow(1)
        before = contents(world.objects)
        assert refused(play.recorder.flush)
        assert contents(world.objects) == before
        later = carried_on(MemoryRecorder("lab", objects=world.objects))
        later.grow(1)
        error = refused(later.recorder.flush)
        assert "rebuilt by a stack" in error.message
        assert contents(world.objects) == before

    def test_what_was_deleted_stays_so(self) -> None:
        play, world = self.recorded()
        world.delete("lab")
        assert contents(world.objects) == {}
        play.grow(1)
        error = refused(play.recorder.flush)
        assert "was deleted while it was recorded" in error.message
        assert contents(world.objects) == {}


class TestTheMark:
    def test_of_another_machine_is_refused(self) -> None:
        """As a file system says that takes upper and lower case for the same."""
        objects = MemoryObjectStore()
        recorder = MemoryRecorder("lab", objects=objects)
        other = MemoryRecorder("LAB")
        play = Play("LAB", other)
        play.grow(1)
        other.flush()
        objects.put_new(recorder_key("lab"), other.objects.get(recorder_key("LAB")) or b"")
        error = refused(Play("lab", recorder).begin)
        assert "is of machine 'LAB'" in error.message

    @pytest.mark.parametrize("data", [b"", b"{", b'{"machine":"lab","format":2}', b"\xff"])
    def test_that_says_nothing_known_is_refused(self, data: bytes) -> None:
        objects = MemoryObjectStore()
        objects.put_new(recorder_key("lab"), data)
        assert refused(Play("lab", MemoryRecorder("lab", objects=objects)).begin)

    def test_a_store_that_overwrites_is_found_out(self) -> None:
        class Overwriting(MemoryObjectStore):
            def put_new(self, key: str, data: bytes) -> bool:
                self.replace(key, data)
                return True

        play = Play("lab", MemoryRecorder("lab", objects=Overwriting()))
        play.grow(1)
        with pytest.raises(Misconfigured, match="overwrites objects") as raised:
            play.recorder.flush()
        assert "If-None-Match" in raised.value.hint


class TestSnapshotsOfOthers:
    """The runtime, too, stores through the recorder: a dump by hand, what a restore pins."""

    def test_a_snapshot_never_stands_above_the_log(self) -> None:
        recorder = MemoryRecorder("lab")
        play = Play("lab", recorder)
        play.grow(5)
        before = play.history.at("lab", 5)
        play.snapshots.save(play.head, before.sorted_entries())
        archived = [each.last for each in ObjectArchive(recorder.objects).segments("lab")]
        assert archived == [5]
        assert recorder.get_snapshots() == [5]

    def test_nor_of_a_block_that_was_not_told(self) -> None:
        recorder = MemoryRecorder("lab")
        play = Play("lab", recorder)
        play.grow(2)
        play.recorder = Deaf()
        play.grow(1)
        state = play.history.at("lab", 3).sorted_entries()
        error = refused(lambda: play.snapshots.save(play.head, state))
        assert "it was not recorded" in error.message
        assert recorder.get_snapshots() == []

    def test_another_machine_s_files_are_free(self) -> None:
        """A fork keeps its parent's state below the parent's id."""
        recorder = MemoryRecorder("lab")
        assert recorder.objects.put_new("machines/grove/pinned/000000000001-ab.json", b"{}")

    def test_ids_that_cannot_be_are_refused(self) -> None:
        for name in ("", "x" * 200):
            with pytest.raises(BlockfoldError):
                MemoryRecorder(name)
        assert cast("Any", MemoryRecorder("lab")).machine == "lab"
