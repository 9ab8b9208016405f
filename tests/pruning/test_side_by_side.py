"""Works at once: each of them once, no more at a time than may be, none after the time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from threading import Barrier, Event, Lock

import pytest

from blockfold.application.side_by_side import FEW, MACHINES, Swept, side_by_side, sweep
from blockfold.application.time_left import Until, share
from blockfold.domain.errors import Unavailable
from blockfold.ports import MachineRecord
from tests.clocks import SetClock

WAIT = 30
"""Seconds after which a test gives up: only one that fails waits for so long."""


def always() -> bool:
    return True


class Crowd:
    """Counts who is in it."""

    def __init__(self, enter: Callable[[int], None] = lambda work: None) -> None:
        self.done: list[int] = []
        self.most = self._now = 0
        self._enter = enter
        self._lock = Lock()

    def __call__(self, work: int) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._enter(work)
        with self._lock:
            self._now -= 1
            self.done.append(work)


@pytest.mark.parametrize("lanes", [2, 5])
def test_as_many_at_once_as_there_are_lanes_and_each_work_once(lanes: int) -> None:
    meeting = Barrier(lanes)

    def enter(work: int) -> None:
        if work < lanes:
            meeting.wait(WAIT)

    crowd = Crowd(enter)
    assert side_by_side(range(50), crowd, always, lanes=lanes)
    assert sorted(crowd.done) == [*range(50)]
    assert crowd.most == lanes


def test_few_works_are_done_one_after_the_other_in_the_callers_thread() -> None:
    threads: list[int] = []
    crowd = Crowd(lambda _: threads.append(threading.get_ident()))
    assert side_by_side(range(FEW), crowd, always, lanes=4)
    assert crowd.done == [*range(FEW)]
    assert set(threads) == {threading.get_ident()}
    assert side_by_side(range(FEW + 1), crowd, always, lanes=4)
    assert threading.get_ident() not in threads[FEW:]


@pytest.mark.parametrize("works", [FEW, 40])
@pytest.mark.parametrize("time_for", [0, 1, 5])
def test_none_begins_after_the_time_is_over(works: int, time_for: int) -> None:
    lock, asked = Lock(), [0]

    def in_time() -> bool:
        with lock:
            asked[0] += 1
            return asked[0] <= time_for

    crowd = Crowd()
    assert not side_by_side(range(works), crowd, in_time, lanes=4)
    assert len(crowd.done) == time_for


def test_time_that_ends_with_the_last_work_is_enough() -> None:
    left = iter([True] * 5 + [False])
    assert side_by_side(range(5), Crowd(), lambda: next(left), lanes=4)


def test_after_an_error_none_begins() -> None:
    def enter(work: int) -> None:
        if work == 3:
            raise Unavailable("injected")

    crowd = Crowd(enter)
    with pytest.raises(Unavailable, match="injected"):
        side_by_side(range(FEW), crowd, always, lanes=4)
    assert crowd.done == [0, 1, 2]


def test_after_an_error_in_a_thread_those_that_were_begun_end_and_none_begins() -> None:
    begun, raised = Barrier(4), Event()

    def enter(work: int) -> None:
        if work < 4:
            begun.wait(WAIT)
        if work == 3:
            raised.set()
            raise Unavailable("injected")
        raised.wait(WAIT)
        time.sleep(0.002)

    crowd = Crowd(enter)
    with pytest.raises(Unavailable, match="injected"):
        side_by_side(range(4_000), crowd, always, lanes=4)
    assert {0, 1, 2} <= {*crowd.done}
    assert len(crowd.done) < 3_999


@pytest.mark.parametrize("count", [1, FEW, 40])
def test_a_sweep_gives_every_machine_its_turn_whatever_befalls_another(count: int) -> None:
    records = [MachineRecord(f"m{number:02d}") for number in range(count)]
    meeting = Barrier(MACHINES)

    def turn(record: MachineRecord) -> str:
        if count > FEW and record in records[:MACHINES]:
            meeting.wait(WAIT)
        if record.machine[-1] in "37":
            raise Unavailable(record.machine)
        return record.machine.upper()

    swept = sweep(records, turn, SetClock(), deadline=1.0)
    sound = [each.machine for each in records if each.machine[-1] not in "37"]
    assert [*swept.done.items()] == [(machine, machine.upper()) for machine in sound]
    assert [error.message for error in swept.failed] == [
        each.machine for each in records if each.machine not in sound
    ]
    if swept.failed:
        with pytest.raises(Unavailable, match="m03"):
            swept.or_first_trouble()


def test_a_sweep_without_time_begins_nothing() -> None:
    records = [MachineRecord(f"m{number}") for number in range(20)]
    assert sweep(records, str, SetClock(1.0), deadline=1.0) == Swept()


def test_what_nobody_foresaw_ends_a_sweep() -> None:
    def turn(record: MachineRecord) -> None:
        raise ZeroDivisionError(record.machine)

    with pytest.raises(ZeroDivisionError):
        sweep([MachineRecord("m")], turn, SetClock(), deadline=1.0)


def test_time_is_shared_out_in_equal_parts() -> None:
    clock = SetClock(20.0)
    assert [share(clock, 100.0, parts) for parts in (1, 2, 4)] == [100.0, 60.0, 40.0]
    assert share(clock, float("inf"), 3) == float("inf")
    until = Until(clock, 20.5)
    assert until()
    assert not until.ran_out
    clock.seconds = 20.5
    assert not until()
    assert until.ran_out
