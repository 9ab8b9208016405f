"""The announcer λ against events as DynamoDB streams deliver them."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest

from blockfold.adapters.dynamodb.records import native
from blockfold.adapters.memory import (
    MemoryChecks,
    MemoryEventBus,
    MemoryMachines,
    MemoryObjectStore,
)
from blockfold.application.announce import Announcer
from blockfold.domain.errors import Unavailable
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.ports import Announcement, Check
from tests.lambdas.conftest import Event, LambdaContext, load
from tests.lambdas.handlers import imported, metrics_in

module = imported("announcer")

BLOCKS = [("grove/1", 1), ("south", 1), ("grove/1", 2), ("south", 2), ("grove/1", 3)]


class Adapters:
    """What of the wiring the handler uses."""

    def __init__(self) -> None:
        self.objects = MemoryObjectStore()
        for key, data in load("stream/bodies").items():
            self.objects.put_new(key, base64.b64decode(data))


class Bus(MemoryEventBus):
    """Refuses as often as it is told."""

    refusals = 0

    def publish(self, announcements: Sequence[Announcement]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("injected: the bus did not answer")
        super().publish(announcements)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """The handler on stores in memory; gives what it publishes to."""
    bus, machines, adapters = Bus(), MemoryMachines(), Adapters()
    machines.register("grove/1", Schedule.new(2))
    monkeypatch.setattr(module, "_adapters", lambda: adapters)
    monkeypatch.setattr(module, "_announcer", lambda: Announcer(machines, bus))
    return bus


@pytest.fixture
def event() -> Event:
    return load("stream/blocks")


def handle(event: Event) -> list[str]:
    """Sequence numbers to deliver again; the answer's shape is checked."""
    answer = module.handler(event, LambdaContext())
    assert set(answer) == {"batchItemFailures"}
    assert json.loads(json.dumps(answer)) == answer
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def inserts(event: Event) -> list[dict[str, Any]]:
    return [each["dynamodb"] for each in event["Records"] if each["eventName"] == "INSERT"]


def told(bus: MemoryEventBus) -> list[dict[str, Any]]:
    return [json.loads(each.detail) for each in bus.published if each.type == "BlockExecuted"]


def test_every_block_is_announced_once_in_order(bus: Bus, event: Event) -> None:
    assert handle(event) == []
    assert [(each["machine"], each["number"]) for each in told(bus)] == BLOCKS
    for detail, record in zip(told(bus), inserts(event), strict=True):
        image = record["NewImage"]
        outcomes = [int(each["N"]) for each in image["outcomes"]["L"]]
        assert detail["hash"] == base64.b64decode(image["hash"]["B"]).hex()
        assert detail["time"] == int(image["time"]["N"])
        assert detail["epoch"] == 0
        names = ("applied", "rejected", "failed", "malformed")
        assert detail["outcomes"] == dict(zip(names, outcomes, strict=True))
        assert detail["actions"] == sum(outcomes)
        assert detail["snapshot_due"] is (detail["machine"] == "grove/1" and detail["number"] == 2)


def test_events_of_reducers_go_out_with_the_block_that_holds_them(bus: Bus, event: Event) -> None:
    handle(event)
    events = [each for each in bus.published if each.source == "blockfold.events"]
    assert [(each.type, json.loads(each.detail)["detail"]) for each in events] == [
        ("Ran", {"steps": 1}),
        ("Ran", {"steps": 1}),
        ("Ran", {"steps": 1}),  # these two stand in the body that went to S3
        ("Ran", {"steps": 0}),
        ("Ran", {"steps": 1}),
    ]
    hashes = {each["hash"] for each in told(bus)}
    ids = [json.loads(each.detail)["id"] for each in events]
    assert len(set(ids)) == 5
    assert {each.partition("/")[0] for each in ids} <= hashes


def test_one_of_the_bodies_is_in_the_bucket(event: Event) -> None:
    spilled = [record["NewImage"] for record in inserts(event) if "spilled" in record["NewImage"]]
    assert [(each["machine"]["S"], each["number"]["N"]) for each in spilled] == [("grove/1", "2")]


def test_a_repeat_is_the_same_to_the_byte(bus: Bus, event: Event) -> None:
    handle(event)
    once = list(bus.published)
    handle(copy.deepcopy(event))
    assert bus.published == once * 2


def test_metrics_say_what_was_announced_and_what_was_not(
    bus: Bus, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    handle(event)
    assert metrics_in(capsys.readouterr().out) == {"Announced": 10}
    bus.refusals = 1 + len(BLOCKS)  # all at once, then one by one
    handle(event)
    found = metrics_in(capsys.readouterr().out)
    assert found == {"Announced": 0, "AnnounceErrors": len(BLOCKS)}


def test_what_is_no_insert_is_nothing(bus: Bus, event: Event) -> None:
    others = [each for each in event["Records"] if each["eventName"] != "INSERT"]
    assert len(others) == 2
    assert handle({"Records": others}) == []
    assert bus.published == []


@pytest.mark.parametrize("first", range(5))
def test_if_the_bus_fails_all_is_delivered_again_from_the_first(
    bus: Bus, event: Event, first: int
) -> None:
    numbers = [record["SequenceNumber"] for record in inserts(event)]
    batch = [
        each for each in event["Records"] if each["dynamodb"]["SequenceNumber"] in numbers[first:]
    ]
    bus.refusals = 2 * (1 + len(BLOCKS[first:]))  # all at once, then one by one
    for _ in range(2):
        assert handle({"Records": batch}) == [numbers[first]]
        assert bus.published == []
    assert handle({"Records": batch}) == []
    assert [(each["machine"], each["number"]) for each in told(bus)] == BLOCKS[first:]


def damage_hash(image: dict[str, Any]) -> None:
    image["hash"]["B"] = base64.b64encode(bytes(32)).decode()


def damage_body(image: dict[str, Any]) -> None:
    image["body"] = {"B": base64.b64encode(b"no zstandard").decode()}
    image.pop("spilled", None)


def drop_field(image: dict[str, Any]) -> None:
    del image["ordinal"]


def lose_body(image: dict[str, Any]) -> None:
    image.pop("body", None)
    image["spilled"] = {"B": base64.b64encode(bytes(32)).decode()}


@pytest.mark.parametrize("damage", [damage_hash, damage_body, drop_field, lose_body])
@pytest.mark.parametrize("position", range(5))
def test_a_block_that_cannot_be_read_does_not_take_the_others_along(
    bus: Bus, event: Event, position: int, damage: Any
) -> None:
    """It is reported, so that it ends in the failure queue; the readable ones are announced."""
    damage(inserts(event)[position]["NewImage"])
    assert handle(event) == [inserts(event)[position]["SequenceNumber"]]
    others = [each for number, each in enumerate(BLOCKS) if number != position]
    assert [(each["machine"], each["number"]) for each in told(bus)] == others


def test_of_two_that_cannot_be_read_the_first_is_reported(bus: Bus, event: Event) -> None:
    for position in (1, 3):
        damage_hash(inserts(event)[position]["NewImage"])
    assert handle(event) == [inserts(event)[1]["SequenceNumber"]]
    bus.published.clear()
    bus.refusals = 1 + len(BLOCKS) - 2
    assert handle(event) == [inserts(event)[0]["SequenceNumber"]]


class PickyBus(Bus):
    """Never takes one block's event."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def publish(self, announcements: Sequence[Announcement]) -> None:
        if any(f'"number":{self.number},'.encode() in each.detail for each in announcements):
            raise Unavailable("injected: this one is refused")
        super().publish(announcements)


def test_a_block_that_the_bus_never_takes_does_not_take_the_others_along(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, event: Event
) -> None:
    _, number = BLOCKS[4]
    picky = PickyBus(number)
    monkeypatch.setattr(module, "_announcer", lambda: Announcer(MemoryMachines(), picky))
    assert handle(event) == [inserts(event)[4]["SequenceNumber"]]
    found = [(each["machine"], each["number"]) for each in told(picky)]
    assert found == [each for each in BLOCKS if each[1] != number]


def test_binary_values_of_a_stream_are_base64() -> None:
    image = {"machine": {"S": "QUJD"}, "sum": {"B": "QUJD"}, "outcomes": {"L": [{"N": "1"}]}}
    assert native(image) == {**image, "sum": {"B": b"ABC"}}


class Queue(MemoryChecks):
    """Takes nothing if it is told so."""

    refuses = False

    def later(self, checks: Sequence[Check]) -> None:
        if self.refuses:
            raise Unavailable("injected: the queue did not answer")
        super().later(checks)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, bus: Bus) -> Queue:
    """The handler with a policy for one of the machines; gives where it asks for checks."""
    queue, machines = Queue(), MemoryMachines()
    machines.register("grove/1", Schedule.new(None, Policy(quiet=30)))
    machines.register("south", Schedule.new(2))
    monkeypatch.setattr(module, "_announcer", lambda: Announcer(machines, bus, queue))
    return queue


def test_machines_with_a_policy_get_a_check(
    queue: Queue, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handle(event) == []
    assert queue.waiting == [Check("grove/1", 3, 30)]
    assert metrics_in(capsys.readouterr().out) == {"Announced": 10, "ChecksAsked": 1}


def test_a_queue_that_takes_no_checks_holds_up_no_event(
    queue: Queue, bus: Bus, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.refuses = True
    assert handle(event) == []
    assert [(each["machine"], each["number"]) for each in told(bus)] == BLOCKS
    assert metrics_in(capsys.readouterr().out) == {"Announced": 10, "CheckErrors": 1}
