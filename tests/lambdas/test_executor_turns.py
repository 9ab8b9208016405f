"""One batch, several groups: who gets how much of the executor's time. Time is virtual."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from blockfold import Block, Context, Machine, State, action
from blockfold.adapters.memory import MemoryBlockLog, MemoryStateTable
from blockfold.application.execute import Executor
from blockfold.application.turns import take_turns
from blockfold.ports import Row, Write
from tests.clocks import SetClock
from tests.lambdas.conftest import Event, Harness

COMMITS, FLUSHES = 35.0, 50.0
"""Seconds until which a function of 60 s executes, and flushes."""


class Worker(Machine):
    """Its actions take as long as they are told to."""

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock

    @action
    def work(self, state: State, context: Context, seconds: float, keys: int = 1) -> None:
        self._clock.seconds += seconds
        for key in range(keys):
            state[f"{context.id}/{key}"] = seconds


class Journal(MemoryBlockLog):
    """A log that notes what was done when."""

    def __init__(self, clock: SetClock, done: list[tuple[str, str, float]]) -> None:
        super().__init__()
        self._clock = clock
        self._done = done

    def append(self, block: Block) -> None:
        self._done.append(("commit", block.machine, self._clock.seconds))
        super().append(block)


class SlowTable(MemoryStateTable):
    """A table that takes time for each row."""

    def __init__(self, clock: SetClock, done: list[tuple[str, str, float]]) -> None:
        super().__init__()
        self.seconds = 0.0
        self._clock = clock
        self._done = done

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        return super().get(machine, keys)

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        self._done.append(("flush", machine, self._clock.seconds))
        self._clock.seconds += self.seconds * len(writes)
        super().write(machine, writes)


@dataclass
class Day:
    """The handler in virtual time.

    Attributes:
        done: What was done: commit or flush, of which machine, when.
    """

    harness: Harness
    clock: SetClock = field(default_factory=SetClock)
    done: list[tuple[str, str, float]] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        self.table = SlowTable(self.clock, self.done)
        self.harness.log = Journal(self.clock, self.done)
        self.harness.table = self.table
        wired: Executor = self.harness.executor()
        self.harness._cached = replace(wired, machine=Worker(self.clock), clock=self.clock)

    def record(self, machine: str, *actions: dict[str, Any], tries: int = 1) -> dict[str, Any]:
        self.sent += 1
        return {
            "messageId": f"m{self.sent}",
            "receiptHandle": f"receipt-{self.sent}",
            "body": json.dumps(list(actions)),
            "attributes": {
                "ApproximateReceiveCount": str(tries),
                "SentTimestamp": str(1_700_000_000_000 + self.sent),
                "SequenceNumber": str(18_849_496_460_467_696_128 + self.sent),
                "MessageGroupId": machine,
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            },
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:Blockfold-Actions.fifo",
        }

    def handle(self, *records: dict[str, Any]) -> list[str]:
        event: Event = {"Records": list(records)}
        return self.harness.handle(event)

    def order(self, what: str) -> list[str]:
        return [machine for done, machine, _ in self.done if done == what]


def work(seconds: float, keys: int = 1) -> dict[str, Any]:
    return {"type": "work", "args": {"seconds": seconds, "keys": keys}}


@pytest.fixture
def day(harness: Harness, module: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    day = Day(harness)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=day.clock.monotonic))
    return day


def test_a_slow_group_does_not_take_the_others_time(day: Day) -> None:
    slow = [day.record("slow", work(4.9)) for _ in range(9)]
    quick = day.record("quick", work(0.1))
    again = day.handle(*slow, quick)
    assert quick["messageId"] not in again
    assert len(day.harness.blocks("quick")) == 1
    assert again == [each["messageId"] for each in slow][-len(again) :]
    assert 9 - len(again) >= 6, "the slow one goes on with what the quick one did not need"
    assert day.clock.seconds <= COMMITS + 5


def test_what_time_cut_off_is_released_at_once_however_often_it_was_delivered(day: Day) -> None:
    records = [day.record("slow", work(4.9), tries=50) for _ in range(10)]
    again = day.handle(*records)
    assert 0 < len(again) < 10
    receipts = [each["receiptHandle"] for each in records][-len(again) :]
    assert day.harness.queue.released == [(receipts, 0)]
    assert day.handle(*records[-len(again) :]) == []
    done = [m.id for block in day.harness.blocks("slow") for m in block.body.messages]
    assert done == [each["messageId"] for each in records]


def test_a_message_that_does_not_fit_an_invocation_goes_on_where_it_was_cut(day: Day) -> None:
    record = day.record("slow", *[work(1.0) for _ in range(90)])
    deliveries = 1
    while day.handle(record):
        deliveries += 1
        assert deliveries < 5
    assert deliveries == 3
    assert day.harness.queue.released == [([record["receiptHandle"]], 0)] * 2
    assert sum(block.actions for block in day.harness.blocks("slow")) == 90


def test_groups_that_had_no_turn_are_released_at_once_and_come_first_next_time(day: Day) -> None:
    hogs = [day.record(f"hog-{n}", *[work(20.0)] * 5) for n in range(3)]
    late = day.record("late", work(0.1))
    assert day.handle(*hogs, late) == [each["messageId"] for each in (*hogs, late)]
    assert {seconds for _, seconds in day.harness.queue.released} == {0}
    assert day.harness.blocks("late") == []
    late["attributes"]["ApproximateReceiveCount"] = "2"
    assert late["messageId"] not in day.handle(*hogs, late)
    assert len(day.harness.blocks("late")) == 1


def test_blocks_of_all_groups_are_committed_before_any_long_flush(day: Day) -> None:
    day.table.seconds = 0.01
    records = [day.record(machine, work(0.1, keys=600)) for machine in ("a", "b", "c")]
    assert day.handle(*records) == []
    assert [done for done, _, _ in day.done[:3]] == ["commit"] * 3
    assert day.order("flush") == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert len(list(day.table.scan("c"))) == 600


def test_a_short_flush_does_not_wait_for_the_other_groups(day: Day) -> None:
    records = [day.record("quick", work(0.1)), *(day.record("slow", work(4.9)) for _ in range(3))]
    assert day.handle(*records) == []
    when = {(done, machine): seconds for done, machine, seconds in day.done}
    assert when["flush", "quick"] < 1


def test_a_flush_that_time_cut_off_keeps_the_last_message_and_is_released_at_once(day: Day) -> None:
    day.table.seconds = 0.1
    records = [day.record("wide", work(0.1, keys=300), work(0.1, keys=300)) for _ in range(2)]
    assert day.handle(*records) == [records[1]["messageId"]]
    assert day.clock.seconds < 60 + 25
    assert day.harness.queue.released == [([records[1]["receiptHandle"]], 0)]
    line = day.harness.told()[0]
    assert (line["level"], line["done"]) == ("INFO", 2)
    assert line["pending"] > 0
    deliveries = 1
    while day.handle(records[1]):
        deliveries += 1
        assert deliveries < 5
    assert len(list(day.table.scan("wide"))) == 1_200


def test_each_long_flush_has_its_share(day: Day) -> None:
    day.table.seconds = 0.02
    records = [day.record(machine, work(0.1, keys=2_000)) for machine in ("a", "b")]
    assert day.handle(*records) == [each["messageId"] for each in records]
    assert set(day.order("flush")) == {"a", "b"}
    assert day.clock.seconds < FLUSHES + 6


def test_turns_are_shared_out_of_what_is_left() -> None:
    clock = SetClock()
    given: list[tuple[str, float]] = []
    needs = {"a": 1.0, "b": 30.0, "c": 30.0}

    def turn(name: str, until: float) -> None:
        given.append((name, until))
        spent = min(needs[name], until - clock.seconds)
        needs[name] -= spent
        clock.seconds += spent

    take_turns(list(needs), turn, lambda name: needs[name] > 0, clock.monotonic, deadline=31.0)
    assert given == [("a", pytest.approx(31 / 3)), ("b", 16.0), ("c", 31.0)]


def test_who_was_cut_gets_what_the_others_left() -> None:
    clock = SetClock()
    needs = {"a": 20.0, "b": 1.0}

    def turn(name: str, until: float) -> None:
        spent = min(needs[name], until - clock.seconds)
        needs[name] -= spent
        clock.seconds += spent

    take_turns(list(needs), turn, lambda name: needs[name] > 0, clock.monotonic, deadline=30.0)
    assert set(needs.values()) == {0}
    assert clock.seconds == 21
