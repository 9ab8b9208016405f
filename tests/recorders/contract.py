"""What every recorder must do, as far as it declares that it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.errors import Corrupted
from blockfold.recorders import (
    CreatesSnapshots,
    KeepsLog,
    ListsSnapshots,
    LoadsSnapshots,
    Recorder,
    capabilities,
)
from tests.recorders.playing import Play
from tests.snapshots.stack import put

Make = Callable[[str], Recorder]
"""Another process's recorder of a machine, by its id, on the same store."""


class RecorderContract:
    """Subclasses give the fixture ``make``, and ``damage`` if what is stored can be reached."""

    @pytest.fixture
    def damage(self) -> Callable[[], None] | None:
        """Spoils whatever snapshots are stored."""
        return None

    @pytest.fixture
    def play(self, make: Make) -> Play:
        play = Play("lab", make("lab"), objects=MemoryObjectStore())
        play.begin()
        return play

    def test_it_is_told_of_each_dispatch(self, play: Play) -> None:
        assert isinstance(play.recorder, Recorder)
        play.grow(5)
        play.fold([[put("a", 1)], [put("a", 2)], [put("b", 3)]])

    def test_nothing_is_recorded_of_the_first_frame(self, play: Play) -> None:
        assert creating(play.recorder).create_snapshot() is None
        assert list(listing(play.recorder).get_snapshots()) == []

    def test_before_any_snapshot_there_is_none(self, play: Play) -> None:
        assert list(listing(play.recorder).get_snapshots()) == []
        assert loading(play.recorder).load_snapshot() is None
        assert loading(play.recorder).load_snapshot(1) is None

    def test_a_snapshot_is_of_the_last_frame(self, play: Play) -> None:
        play.grow(3)
        assert creating(play.recorder).create_snapshot() == 3
        found = loading(play.recorder).load_snapshot()
        assert found is not None
        assert (found.machine, found.number) == ("lab", 3)
        assert found.block.hash == play.head.hash
        assert found.state == play.state() != {}
        assert list(found.state) == sorted(found.state)

    def test_making_it_again_changes_nothing(self, play: Play) -> None:
        play.grow(2)
        for _ in range(3):
            assert creating(play.recorder).create_snapshot() == 2
        assert list(listing(play.recorder).get_snapshots()) == [2]

    def test_all_snapshots_stay_and_are_told_apart(self, play: Play) -> None:
        for _ in range(12):
            play.grow(1)
            creating(play.recorder).create_snapshot()
        assert list(listing(play.recorder).get_snapshots()) == [*range(1, 13)]
        for number in (1, 7, 12):
            found = loading(play.recorder).load_snapshot(number)
            assert found is not None
            assert found.number == number
            assert found.state == play.state(number)
        for number in (0, 13, -1):
            assert loading(play.recorder).load_snapshot(number) is None

    def test_an_empty_state_is_a_snapshot_and_not_none(self, play: Play) -> None:
        play.act()
        creating(play.recorder).create_snapshot()
        found = loading(play.recorder).load_snapshot()
        assert found is not None
        assert found.state == {}

    def test_another_process_finds_them(self, play: Play, make: Make) -> None:
        play.grow(4)
        creating(play.recorder).create_snapshot()
        again = make("lab")
        assert list(listing(again).get_snapshots()) == [4]
        found = loading(again).load_snapshot()
        assert found is not None
        assert found.checked().state == play.state()

    def test_machines_are_kept_apart(self, play: Play, make: Make) -> None:
        others = [Play(name, make(name), objects=MemoryObjectStore()) for name in ("la", "lab/1")]
        for size, each in enumerate((play, *others), start=1):
            each.begin()
            each.grow(size)
            creating(each.recorder).create_snapshot()
        for size, each in enumerate((play, *others), start=1):
            assert list(listing(make(each.machine)).get_snapshots()) == [size]
            found = loading(make(each.machine)).load_snapshot()
            assert found is not None
            assert found.machine == each.machine

    def test_damage_is_an_error_and_not_none(
        self, play: Play, make: Make, damage: Callable[[], None] | None
    ) -> None:
        if damage is None:
            pytest.skip("nobody reaches what it stores")
        play.grow(3)
        creating(play.recorder).create_snapshot()
        damage()
        with pytest.raises(Corrupted):
            loading(make("lab")).load_snapshot()

    def test_what_was_flushed_is_there_for_another_process(self, play: Play, make: Make) -> None:
        recorder = keeping(play.recorder)
        play.grow(3)
        recorder.flush()
        recorder.flush()
        assert keeping(make("lab")).machine == "lab"
        assert loading(make("lab")).load_snapshot() is None
        assert creating(make("lab")).create_snapshot() == 3
        found = loading(make("lab")).load_snapshot()
        assert found is not None
        assert found.state == play.state()

    def test_closing_records_what_is_left(self, play: Play, make: Make) -> None:
        recorder = keeping(play.recorder)
        recorder.close()
        play.grow(3)
        recorder.close()
        recorder.close()
        assert list(listing(make("lab")).get_snapshots()) == [3]
        play.grow(2)
        recorder.close()
        assert list(listing(make("lab")).get_snapshots()) == [3, 5]


def creating(recorder: Recorder) -> CreatesSnapshots:
    return cast("CreatesSnapshots", able(recorder, "create_snapshot"))


def listing(recorder: Recorder) -> ListsSnapshots:
    return cast("ListsSnapshots", able(recorder, "get_snapshots"))


def loading(recorder: Recorder) -> LoadsSnapshots:
    return cast("LoadsSnapshots", able(recorder, "load_snapshot"))


def keeping(recorder: Recorder) -> KeepsLog:
    if not isinstance(recorder, KeepsLog):
        pytest.skip("it keeps no log")
    return recorder


def able(recorder: Recorder, capability: str) -> Recorder:
    if capability not in capabilities(recorder):
        pytest.skip(f"it does not declare {capability}")
    return recorder
