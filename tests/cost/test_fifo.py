"""The model of FIFO queues keeps the laws of queues."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fifo import Arrival, Done, Queue, place, poisson, simulate
from bench.scale import noisy

ARRIVALS = st.lists(
    st.tuples(st.integers(0, 50).map(float), st.integers(0, 5)), min_size=1, max_size=60
).map(lambda found: sorted(found, key=lambda each: each[0]))


def service(messages: int) -> float:
    return 0.7 + 0.2 * messages


@given(ARRIVALS, st.integers(1, 4), st.integers(1, 20), st.integers(1, 4), st.integers(1, 10))
def test_every_message_is_done_once_in_the_order_of_its_group(
    arrivals: list[Arrival], queues: int, look_ahead: int, executors: int, batch: int
) -> None:
    done = simulate(
        arrivals, service, queues=queues, look_ahead=look_ahead, batch=batch, executors=executors
    )
    assert sorted(zip(done.arrived, done.groups, strict=True)) == sorted(arrivals)
    ends: dict[int, float] = defaultdict(float)
    came: dict[int, float] = defaultdict(float)
    for arrived, began, ended, group in zip(
        done.arrived, done.began, done.ended, done.groups, strict=True
    ):
        assert arrived <= began < ended
        assert arrived >= came[group], "in the order in which they came"
        assert began >= ends[group] or ended == ends[group], "one batch of a group at a time"
        came[group], ends[group] = arrived, ended
    assert done.widest <= look_ahead
    assert done.most <= executors
    assert -(-len(arrivals) // batch) <= done.invocations <= len(arrivals)


@given(ARRIVALS)
def test_with_one_executor_there_is_one_batch_at_a_time(arrivals: list[Arrival]) -> None:
    done = simulate(arrivals, service, executors=1)
    spans = sorted(set(zip(done.began, done.ended, strict=True)))
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_hidden_messages_come_into_sight_as_others_are_done() -> None:
    queue = Queue(look_ahead=3)
    for number, group in enumerate((1, 1, 1, 2)):
        queue.put(number, group, 0.0)
    assert queue.take(10) == (1, [0.0] * 3)
    assert queue.oldest is None, "the fourth message is not looked at while three are in flight"
    queue.delete(1, 3)
    assert queue.take(10) == (2, [0.0])


@pytest.mark.parametrize("load", [0.7])
def test_one_server_waits_as_theory_says(load: float) -> None:
    """M/D/1: the mean wait is load * service / (2 * (1 - load))."""
    done = simulate(poisson(load, 40_000, 1, 4), lambda _: 1.0, batch=1)
    waits = [begin - came for came, begin in zip(done.arrived, done.began, strict=True)]
    assert sum(waits) / len(waits) == pytest.approx(load / (2 * (1 - load)), rel=0.05)


def test_a_noisy_machine_hides_the_others_of_its_queue_alone() -> None:
    def late(done: Done, *, without: int = 0) -> float:
        waits = done.latencies(without=without)
        return sum(wait > 5 for wait in waits) / len(waits)

    shares = [late(noisy(queues, scale=0.02)) for queues in (1, 4, 16)]
    assert shares[0] > 0.5 > shares[1] > shares[2]
    together = [sum(place(each, queues) == place(0, queues) for each in range(1, 1_000)) / 999
                for queues in (4, 16)]  # fmt: skip
    for share, part in zip(shares[1:], together, strict=True):
        assert share == pytest.approx(shares[0] * part, abs=0.05)
