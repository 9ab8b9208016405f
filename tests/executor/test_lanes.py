"""Works side by side: calls overlap, own code never does, and time is shared out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from blockfold.application.lanes import Share, Steps, carry_out, share_lanes
from tests.clocks import SetClock


def waits_for(barrier: threading.Barrier) -> Callable[[], int]:
    """A call that only comes back when so many are under way as the barrier wants."""
    return lambda: barrier.wait(timeout=10)


def test_calls_of_different_works_are_under_way_together_and_own_code_is_in_one_thread() -> None:
    barrier = threading.Barrier(3)
    threads: set[int] = set()

    def work(_name: str, _share: Share) -> Steps:
        for _ in range(3):
            threads.add(threading.get_ident())
            yield waits_for(barrier)

    share_lanes("abc", work, SetClock().monotonic, deadline=1.0)
    assert threads == {threading.get_ident()}


def test_each_work_gets_its_own_answers_and_errors() -> None:
    told: dict[str, list[Any]] = {name: [] for name in "abcd"}

    def fail(name: str) -> None:
        raise LookupError(name)

    def work(name: str, _share: Share) -> Steps:
        told[name].append((yield name.upper))
        try:
            yield lambda: fail(name)
        except LookupError as error:
            told[name].append(str(error))
        told[name].append((yield lambda: None))

    share_lanes("abcd", work, SetClock().monotonic, deadline=1.0)
    assert told == {name: [name.upper(), name, None] for name in "abcd"}


def test_time_is_shared_out_and_nobody_begins_after_the_deadline() -> None:
    clock = SetClock()
    shares: list[tuple[str, float]] = []

    def work(name: str, share: Share) -> Steps:
        shares.append((name, share.until))
        clock.seconds += {"a": 20.0, "b": 5.0, "c": 6.0, "d": 0.0}[name]
        yield lambda: None
        shares.append((name, share.until))

    share_lanes("abcd", work, clock.monotonic, deadline=30.0)
    first = dict(reversed(shares))
    assert (first["a"], first["b"]) == (7.5, 20 + 10 / 4)
    assert "d" not in first, "31 s are over"
    assert [until for _, until in shares[3:]] == [30.0] * 3, "who began is told that time is over"


def test_a_work_alone_needs_no_thread() -> None:
    threads: list[int] = []

    def work(_name: str, share: Share) -> Steps:
        assert share.until == 1.0
        yield lambda: threads.append(threading.get_ident())

    share_lanes("a", work, SetClock().monotonic, deadline=1.0)
    carry_out(work("a", Share(1.0)))
    assert threads == [threading.get_ident()] * 2
    share_lanes("a", work, SetClock().monotonic, deadline=-1.0)
    assert len(threads) == 2
