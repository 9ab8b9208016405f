"""When a snapshot is made by itself, and what becomes of its errors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from blockfold.adapters.manual_clock import ManualClock
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.errors import BlockfoldError, StorageFull, Unavailable
from blockfold.ports import ObjectStore
from blockfold.recorders import ObjectRecorder, at_exit
from tests.faults import Faults, faulty
from tests.recorders.playing import Play


def fill() -> None:
    raise StorageFull("injected: no room", hint="make room")


def break_() -> None:
    raise ZeroDivisionError("injected: a defect")


class Played:
    """A recorder under a clock that is moved by hand."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.faults = Faults()
        self.store = MemoryObjectStore()
        objects: ObjectStore = faulty("objects", self.store, self.faults)
        self.recorder = ObjectRecorder("lab", objects, clock=self.clock, **options)
        self.play = Play("lab", self.recorder)
        self.play.begin()

    @property
    def taken(self) -> list[int]:
        return self.recorder.get_snapshots()

    def break_down(self, strike: Callable[[], None]) -> None:
        """From now on each call to the store fails."""
        self.faults.at, self.faults.strike = range(len(self.faults.steps), 10**9), strike

    def mend(self) -> None:
        self.faults.at = ()


def test_a_snapshot_is_made_five_seconds_after_the_last_dispatch() -> None:
    played = Played()
    played.play.grow(1)
    played.clock.advance(4.9)
    played.play.grow(2)
    played.clock.advance(4.9)
    assert played.taken == []
    played.clock.advance(0.1)
    assert played.taken == [3]
    played.clock.advance(1000)
    assert played.taken == [3]
    played.play.grow(1)
    played.clock.advance(5)
    assert played.taken == [3, 4]


def test_steady_traffic_has_one_every_fifty_seconds() -> None:
    played = Played()
    for _ in range(120):
        played.play.grow(1)
        played.clock.advance(1)
    assert played.taken == [50, 100]


def test_seconds_and_their_upper_bound_are_settings() -> None:
    played = Played(quiet=2, most=3)
    for _ in range(7):
        played.play.grow(1)
        played.clock.advance(1)
    assert played.taken == [3, 6]
    never = Played(quiet=None)
    never.play.grow(3)
    never.clock.advance(10**6)
    assert never.taken == []


def test_there_is_one_timer_however_much_is_dispatched() -> None:
    played = Played()
    played.play.grow(30)
    assert len(played.clock._waiting) == 1


def test_the_first_frame_makes_nothing_and_waits_for_nothing() -> None:
    played = Played()
    played.clock.advance(100)
    assert list(played.store.list("")) == []
    assert played.clock._waiting == []


def test_what_fails_by_itself_is_logged_raised_by_the_next_dispatch_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    played = Played()
    played.play.grow(2)
    played.break_down(fill)
    with caplog.at_level(logging.ERROR, "blockfold.recorders"):
        played.clock.advance(5)
    assert "machine 'lab' was not recorded: injected: no room" in caplog.text
    with pytest.raises(StorageFull, match="machine 'lab' was not recorded: injected") as raised:
        played.play.grow(1)
    assert raised.value.hint == "make room"
    played.play.grow(1)  # said once; it was noted, as the one before was
    played.mend()
    played.clock.advance(5)
    assert played.taken == [4]
    found = played.recorder.load_snapshot()
    assert found is not None
    assert found.state == played.play.state()


def test_it_is_tried_again_when_nobody_dispatches() -> None:
    played = Played()
    played.play.grow(2)
    played.break_down(fill)
    played.clock.advance(23)
    played.mend()
    played.clock.advance(5)
    assert played.taken == [2]
    played.play.grow(1)  # its trouble is over


def test_a_defect_is_kept_as_well() -> None:
    played = Played()
    played.play.grow(1)
    played.break_down(break_)
    played.clock.advance(5)
    with pytest.raises(ZeroDivisionError):
        played.play.grow(1)


@pytest.mark.parametrize("call", ["flush", "create_snapshot", "close"])
def test_who_asks_is_told_and_may_ask_again(call: str) -> None:
    played = Played()
    played.play.grow(3)
    played.break_down(fill)
    for _ in range(2):
        with pytest.raises(StorageFull):
            getattr(played.recorder, call)()
    played.mend()
    getattr(played.recorder, call)()
    played.recorder.close()
    assert played.taken == [3]


def test_closing_waits_no_more() -> None:
    played = Played()
    played.play.grow(1)
    played.recorder.close()
    assert played.taken == [1]
    steps = len(played.faults.steps)
    played.clock.advance(100)
    played.recorder.close()
    assert len(played.faults.steps) == steps


def test_what_is_large_is_stored_and_let_go_before_it_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("blockfold.recorders.object_recorder.PENDING_BYTES", 2_000)
    played = Played()
    played.play.grow(40)
    kept = [block.number for block in played.recorder._pending.read("lab", 1)]
    assert kept[-1] == 40
    assert len(kept) < 15
    assert any("/archive/" in each.key for each in played.store.list(""))
    assert played.recorder.create_snapshot() == 40
    found = played.recorder.load_snapshot()
    assert found is not None
    assert found.state == played.play.state()


def test_dispatching_does_not_wait_for_the_store() -> None:
    """While a snapshot is being stored, actions go on, and none of them is lost."""
    played = Played(quiet=None)
    played.play.grow(1)
    stuck, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        stuck.set()
        assert go_on.wait(30)
        played.mend()

    played.break_down(wait)
    thread = threading.Thread(target=played.recorder.create_snapshot)
    thread.start()
    assert stuck.wait(30)
    for block in _more(played):
        played.play.tell(block)
    go_on.set()
    thread.join(30)
    played.recorder.close()
    assert played.taken == [4]
    assert len(played.recorder._shelf.archive.segments("lab")) == 2


def _more(played: Played) -> list[Any]:
    """Three blocks more, made beside the recorder's store."""
    other = Play("lab", Silent(), objects=MemoryObjectStore())
    other.grow(4)
    blocks = list(other.log.read("lab", 2))
    assert blocks[0].header.parent == played.play.head.hash
    return blocks


class Silent:
    def after_dispatch(self, frame: Any) -> None:
        pass


def test_at_exit_what_is_left_is_recorded_and_one_s_trouble_keeps_no_other_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, sound = Played(), Played()
    for each in (broken, sound):
        each.play.grow(2)
    broken.break_down(fill)
    with caplog.at_level(logging.ERROR, "blockfold.recorders"):
        at_exit._close_all()
    assert sound.taken == [2]
    assert "not recorded at exit: injected: no room" in caplog.text
    broken.mend()
    assert broken.taken == []


def test_what_is_recorded_is_not_kept_alive() -> None:
    played = Played()
    played.play.grow(2)
    assert at_exit._waiting
    played.recorder.close()
    assert not at_exit._waiting


def test_errors_have_their_own_type_when_they_are_raised_later() -> None:
    def fail() -> None:
        raise Unavailable("injected: nobody answers")

    played = Played()
    played.play.grow(1)
    played.break_down(fail)
    played.clock.advance(5)
    with pytest.raises(BlockfoldError) as raised:
        played.play.grow(1)
    assert type(raised.value) is Unavailable
