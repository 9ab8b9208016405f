"""Whatever fails: each machine's actions are in the queue once and in order.

SQS drops a repeat within five minutes, the executor any with the same producer and count; what is
held against the pushes here is what the second leaves. If the process dies after any call, what it
pushed so far is there up to some action, and nothing else.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.action import Action
from blockfold.producer.bounds import Bounds
from blockfold.producer.courier import deliver
from blockfold.producer.crew import settle
from blockfold.producer.leaving import EXIT_SECONDS
from blockfold.producer.outbox import HURRIED_SECONDS, LONGEST_SECONDS, Outbox
from blockfold.producer.parcel import text_of
from tests.faults import Faults, Killed
from tests.producer.supply import DENIED, FINE, PART, PASSING, THROTTLED, Supply, once
from tests.simulation.services.queues import WINDOW

MACHINES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
FORGOTTEN = WINDOW / 1000 + 1
"""Seconds after which SQS takes a repeat for something new."""

pushes = st.tuples(st.just("push"), st.sampled_from(MACHINES), st.integers(1, 7))
waits = st.tuples(st.just("wait"), st.sampled_from([0.0, 0.01, 0.05, 5.0, FORGOTTEN]))
sends = st.tuples(st.just("send"), st.sampled_from(PASSING))
flushes = st.just(("flush",))


class Producing:
    """An outbox and what was pushed into it; each call to the queue may be a process' last."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.supply = Supply()
        self.outbox = Outbox("p", Bounds(actions=3, payload=200), jitter=lambda most: most / 2)
        self.pushed: dict[str, list[int]] = {}
        self.faults = faults or Faults()
        self.number = 0

    def push(self, machine: str, size: int) -> None:
        self.number += 1
        action = Action.of("do", number=self.number, text="x" * 20 * size)
        self.pushed.setdefault(machine, []).append(self.number)
        self.outbox.put(machine, text_of(action), self.supply.clock.monotonic())

    def send(self, fault: int = FINE) -> None:
        """One turn of a sending thread."""
        self.supply.foresee(fault)
        taken = self.outbox.take(self.supply.clock.monotonic())
        assert len({each.machine for each in taken}) == len(taken)
        under_way = [each.machine for each in self.outbox.lanes.values() if each.busy]
        assert sorted(under_way) == sorted(each.machine for each in taken)
        answers = deliver(self.supply.queue, taken)
        while (found := self.faults.step("send", lambda: next(answers, None))) is not None:
            settle(self.outbox, found, self.supply.clock.monotonic())

    def finish(self) -> None:
        turns = self.number + len(self.outbox.lanes)
        while self.outbox.lanes:
            self.outbox.hurry()
            self.supply.clock.advance(LONGEST_SECONDS)
            self.send()
            turns -= 1
            assert turns >= 0, "each turn has something acknowledged"

    def hold(self, *, whole: bool) -> None:
        """Hold the queue against the pushes."""
        for machine, messages in self.supply.machines.items():
            counts = [message.count for message in messages]
            assert counts == sorted(counts), "a repeat never comes behind what follows it"
            assert sorted(set(counts)) == list(range(1, max(counts) + 1))
            bodies = {(message.count, message.body) for message in messages}
            assert len(bodies) == max(counts), "a repeat is packed as the first was"
            found = [action["args"]["number"] for action in once(messages)]
            assert found == self.pushed[machine][: len(found)]
            assert len(found) == len(self.pushed[machine]) or not whole


@given(st.lists(st.one_of(pushes, pushes, pushes, waits, sends, sends, flushes), max_size=60))
def test_each_machine_s_actions_arrive_once_and_in_order_whatever_fails(
    moves: list[tuple[str, ...]],
) -> None:
    work = Producing()
    for name, *args in moves:
        match name:
            case "push":
                work.push(*args)  # type: ignore[arg-type]
            case "wait":
                work.supply.clock.advance(*args)  # type: ignore[arg-type]
            case "send":
                work.send(*args)  # type: ignore[arg-type]
            case _:
                work.outbox.hurry()
        work.hold(whole=False)
    work.finish()
    work.hold(whole=True)
    assert work.outbox.stats.waiting == 0
    assert work.outbox.due is None or work.outbox.take(1e9) == []


@given(
    st.lists(pushes, min_size=1, max_size=30),
    st.lists(st.sampled_from(PASSING), max_size=6),
    st.integers(0, 12),
    st.sampled_from(["before", "after"]),
)
def test_a_process_that_dies_leaves_the_beginning_of_what_it_pushed(
    moves: list[tuple[str, str, int]], weather: list[int], at: int, moment: str
) -> None:
    work = Producing(Faults(at=[at], moment=moment))  # type: ignore[arg-type]
    for _, machine, size in moves:
        work.push(machine, size)
    try:
        for fault in weather:
            work.supply.clock.advance(LONGEST_SECONDS)
            work.send(fault)
        work.finish()
    except Killed:
        work.hold(whole=False)
    else:
        work.hold(whole=True)


def test_tries_are_further_and_further_apart_up_to_a_bound() -> None:
    work = Producing()
    work.push("a", 1)
    clock = work.supply.clock
    clock.advance(1)
    gaps = []
    for _ in range(14):
        work.send(THROTTLED)
        due = work.outbox.due
        assert due is not None
        gaps.append(due - clock.monotonic())
        clock.advance(gaps[-1] + 1e-6)
    assert gaps[:3] == pytest.approx([0.025, 0.05, 0.1])
    assert gaps == sorted(gaps)
    assert gaps[-2:] == pytest.approx([LONGEST_SECONDS / 2] * 2)
    assert work.outbox.stats.retries == 13
    work.send()
    assert work.outbox.stats.waiting == 0


def test_many_flushes_hurry_a_try_once() -> None:
    work = Producing()
    work.push("a", 1)
    clock = work.supply.clock
    work.outbox.hurry()
    work.send(THROTTLED)
    for _ in range(15):
        for sent in (1, 0, 0):  # at once for the first flush, for others when it is time
            tries = work.supply.weather.sent
            work.outbox.hurry()
            work.send(THROTTLED)
            assert work.supply.weather.sent == tries + sent
        clock.advance(HURRIED_SECONDS)
        assert HURRIED_SECONDS < EXIT_SECONDS
        work.send(THROTTLED)
        assert work.supply.weather.sent == tries + 1
    work.outbox.hurry()
    work.send()
    assert work.outbox.stats.waiting == 0


def test_each_flush_tries_what_sqs_does_not_take() -> None:
    work = Producing()
    work.push("a", 1)
    for tries in range(1, 5):
        work.outbox.hurry()
        work.send(DENIED)
        assert work.supply.weather.sent == tries


def test_what_is_wanted_goes_and_what_goes_before_it_and_nothing_else() -> None:
    work = Producing()
    for machine in "aaaabb":
        work.push(machine, 1)
    first, second = work.outbox.lanes["a"].parcels
    (other,) = work.outbox.lanes["b"].parcels
    assert work.outbox.hurry([first]) == {first}
    assert (second.open, other.open) == (True, True)
    assert work.outbox.hurry([second]) == {first, second}
    assert (second.open, other.open) == (False, True)
    work.send()
    assert work.outbox.hurry([first, second]) == {second}
    work.finish()
    assert work.outbox.hurry([first, second, other]) == set()
    work.hold(whole=True)


def test_only_the_entries_that_failed_are_sent_again() -> None:
    work = Producing()
    for machine in MACHINES[:10]:
        work.push(machine, 1)
    work.outbox.hurry()
    work.send(PART)
    assert work.outbox.stats.messages == 9
    work.finish()
    assert work.supply.weather.batches == [10, 1]
    work.hold(whole=True)


def test_no_more_than_ten_machines_share_a_request() -> None:
    work = Producing()
    for machine in MACHINES:
        work.push(machine, 1)
    work.finish()
    assert work.supply.weather.batches == [10, 2]
