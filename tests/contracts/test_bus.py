"""The contract of `EventBus` in memory and in the emulator, and what the bus may refuse."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from blockfold.adapters import backoff
from blockfold.adapters.eventbridge import ENTRIES, REQUEST_BYTES, EventBridgeBus
from blockfold.adapters.memory import MemoryEventBus
from blockfold.bootstrap import Adapters
from blockfold.domain.canonical import encode
from blockfold.domain.errors import BlockfoldError, Misconfigured, NotFound, Unavailable
from blockfold.ports import Announcement, EventBus

TIME = 1_700_000_000_123
Heard = Callable[[int], list[Announcement]]
"""Waits for so many events and gives them, in any order."""


def announcement(number: int, text: str = "", *, type_: str = "Told") -> Announcement:
    detail = encode({"number": number, "text": text})
    return Announcement("blockfold.events", type_, detail, TIME + number * 1_000)


def by_number(announcements: Sequence[Announcement]) -> list[Announcement]:
    return sorted(announcements, key=lambda each: int(json.loads(each.detail)["number"]))


class EventBusContract:
    """Subclasses give the fixtures ``bus`` and ``heard``."""

    def test_nothing_is_no_event(self, bus: EventBus, heard: Heard) -> None:
        bus.publish([])
        bus.publish([announcement(1)])
        assert len(heard(1)) == 1

    def test_an_event_is_published_as_it_is(self, bus: EventBus, heard: Heard) -> None:
        one = Announcement("blockfold", "BlockExecuted", encode({"ü": [1.5, None]}), TIME)
        bus.publish([one])
        (found,) = heard(1)
        assert (found.source, found.type) == (one.source, one.type)
        assert json.loads(found.detail) == {"ü": [1.5, None]}

    def test_many_are_all_published(self, bus: EventBus, heard: Heard) -> None:
        asked = [announcement(number) for number in range(37)]
        bus.publish(asked)
        found = by_number(heard(37))
        assert [each.detail for each in found] == [each.detail for each in asked]

    def test_large_ones_are_all_published(self, bus: EventBus, heard: Heard) -> None:
        asked = [announcement(number, "é" * 60_000) for number in range(17)]
        bus.publish(asked)
        assert [each.detail for each in by_number(heard(17))] == [each.detail for each in asked]


class TestMemory(EventBusContract):
    @pytest.fixture
    def bus(self) -> EventBus:
        return MemoryEventBus()

    @pytest.fixture
    def heard(self, bus: MemoryEventBus) -> Heard:
        return lambda number: list(bus.published[:number])


class TestMinistack(EventBusContract):
    @pytest.fixture
    def name(self, ministack: Adapters) -> str:
        name = f"bus-{uuid4().hex[:12]}"
        ministack.clients.events.create_event_bus(Name=name)
        return name

    @pytest.fixture
    def bus(self, ministack: Adapters, name: str) -> EventBus:
        return EventBridgeBus(ministack.clients.events, name)

    @pytest.fixture
    def heard(self, ministack: Adapters, name: str) -> Heard:
        """A queue behind a rule for everything."""
        sqs, events = ministack.clients.sqs, ministack.clients.events
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        pattern = json.dumps({"source": [{"prefix": "blockfold"}]})
        events.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
        target: Any = {"Id": "queue", "Arn": arn["QueueArn"]}
        events.put_targets(Rule=name, EventBusName=name, Targets=[target])

        def heard(number: int) -> list[Announcement]:
            found: list[Announcement] = []
            end = time.monotonic() + 10
            while len(found) < number and time.monotonic() < end:
                answer = sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
                )
                for message in answer.get("Messages", []):
                    found.append(_announcement(json.loads(message["Body"])))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return found

        return heard


def _announcement(event: Any) -> Announcement:
    return Announcement(event["source"], event["detail-type"], encode(event["detail"]), TIME)


# -- what the bus may answer -----------------------------------------------------------------------

Request = dict[str, Any]
Answer = Callable[[Request], dict[str, Any]]


def taken(request: Request) -> dict[str, Any]:
    entries = [{"EventId": str(uuid4())} for _ in request["Entries"]]
    return {"FailedEntryCount": 0, "Entries": entries}


def refusing(*positions: int) -> Answer:
    """Refuses the entries at those positions."""

    def answer(request: Request) -> dict[str, Any]:
        entries: list[dict[str, str]] = [
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            if position in positions
            else {"EventId": str(position)}
            for position in range(len(request["Entries"]))
        ]
        failed = sum("ErrorCode" in each for each in entries)
        return {"FailedEntryCount": failed, "Entries": entries}

    return answer


def raising(error: Exception) -> Answer:
    def answer(_request: Request) -> dict[str, Any]:
        raise error

    return answer


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "injected"}}, "PutEvents")


class Client:
    """EventBridge as the answers have it; takes everything when they are used up."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = iter(answers)
        self.requests: list[list[int]] = []
        self.taken: list[int] = []

    def put_events(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        numbers = [json.loads(each["Detail"])["number"] for each in entries]
        self.requests.append(numbers)
        answer = next(self.answers, taken)(request)
        for number, result in zip(numbers, answer["Entries"], strict=True):
            if "EventId" in result:
                self.taken.append(number)
        assert len(entries) <= ENTRIES
        assert sum(len(each["Detail"].encode()) for each in entries) < REQUEST_BYTES
        assert {each["EventBusName"] for each in entries} == {"bus"}
        return answer


def publish(client: Any, count: int = 12) -> None:
    EventBridgeBus(client, "bus").publish([announcement(number) for number in range(count)])


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between tries take no time here."""
    waits: list[float] = []
    monkeypatch.setattr(backoff, "time", type("Time", (), {"sleep": waits.append}))
    return waits


class TestRequests:
    def test_an_entry_says_who_what_where_and_when(self) -> None:
        """The emulator puts its own time on events: only here it is seen."""
        sent: list[Any] = []

        class Recording:
            def put_events(self, **request: Any) -> dict[str, Any]:
                sent.extend(request["Entries"])
                return taken(request)

        client: Any = Recording()
        one = Announcement("blockfold", "BlockExecuted", encode({"ü": 1}), TIME)
        EventBridgeBus(client, "bus").publish([one])
        assert sent == [
            {
                "EventBusName": "bus",
                "Source": "blockfold",
                "DetailType": "BlockExecuted",
                "Detail": '{"ü":1}',
                "Time": datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC),
            }
        ]

    def test_ten_entries_a_request(self) -> None:
        client = Client()
        publish(client, 25)
        assert [len(each) for each in client.requests] == [10, 10, 5]

    def test_a_megabyte_a_request(self) -> None:
        client: Any = Client()
        texts = ["x" * 200_000] * 4 + ["é" * 100_000] * 3 + ["x" * 900_000, "x"]
        asked = [announcement(number, text) for number, text in enumerate(texts)]
        EventBridgeBus(client, "bus").publish(asked)
        assert client.requests == [[0, 1, 2, 3], [4, 5, 6], [7, 8]]

    def test_entries_that_were_refused_are_put_again_and_only_those(
        self, waits: list[float]
    ) -> None:
        client = Client(refusing(0, 3, 9), refusing(1), taken)
        publish(client)
        assert client.requests == [[*range(10)], [0, 3, 9], [3], [10, 11]]
        assert sorted(client.taken) == [*range(12)]
        assert len(waits) == 2

    def test_no_end_of_refusals_is_unavailable(self, waits: list[float]) -> None:
        client = Client(*[refusing(4)] + [refusing(0)] * 100)
        with pytest.raises(Unavailable, match="the bus bus after 8 tries: ThrottlingException"):
            publish(client)
        assert client.requests[1:] == [[4]] * (backoff.ATTEMPTS - 1)
        assert len(waits) == backoff.ATTEMPTS - 1

    @pytest.mark.parametrize(
        ("error", "ours"),
        [
            (refused("InternalException"), Unavailable),
            (refused("ThrottlingException"), Unavailable),
            (refused("ResourceNotFoundException"), NotFound),
            (refused("AccessDeniedException"), Misconfigured),
            (EndpointConnectionError(endpoint_url="http://nowhere"), Unavailable),
        ],
    )
    def test_an_error_is_translated_and_names_the_bus(
        self, error: Exception, ours: type[BlockfoldError]
    ) -> None:
        client = Client(taken, raising(error))
        with pytest.raises(BlockfoldError, match="could not publish to the bus bus") as caught:
            publish(client)
        assert type(caught.value) is ours
        assert caught.value.__cause__ is error
        assert client.taken == [*range(10)]
