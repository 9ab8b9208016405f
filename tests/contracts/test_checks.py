"""The contract of `Checks` in memory and in the emulator, and what the queue may refuse."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from blockfold.adapters import backoff
from blockfold.adapters.checks import ENTRIES, SqsChecks, from_body, to_body
from blockfold.adapters.memory import MemoryChecks
from blockfold.bootstrap import Adapters
from blockfold.domain.errors import Corrupted, NotFound, Unavailable
from blockfold.ports import Check, Checks

Heard = Callable[[int], list[Check]]
"""Waits for so many checks and gives them, in any order."""


class ChecksContract:
    """Subclasses give the fixtures ``checks`` and ``heard``."""

    def test_nothing_is_no_check(self, checks: Checks, heard: Heard) -> None:
        checks.later([])
        checks.later([Check("m", 1, 0)])
        assert heard(1) == [Check("m", 1, 0)]

    def test_a_check_comes_as_it_was_asked(self, checks: Checks, heard: Heard) -> None:
        asked = Check('grove/"é"\n', 10**15, 1, waited=3_600, again=7)
        checks.later([asked])
        assert heard(1) == [asked]

    def test_many_all_come(self, checks: Checks, heard: Heard) -> None:
        asked = [Check(f"m{number}", number, 0) for number in range(37)]
        checks.later(asked)
        assert sorted(heard(37), key=lambda each: each.number) == asked


class TestMemory(ChecksContract):
    @pytest.fixture
    def checks(self) -> Checks:
        return MemoryChecks()

    @pytest.fixture
    def heard(self, checks: MemoryChecks) -> Heard:
        return lambda number: checks.waiting[:number]


class TestMinistack(ChecksContract):
    @pytest.fixture
    def url(self, ministack: Adapters) -> str:
        answer = ministack.clients.sqs.create_queue(QueueName=f"checks-{uuid4().hex[:8]}")
        return answer["QueueUrl"]

    @pytest.fixture
    def checks(self, ministack: Adapters, url: str) -> Checks:
        return SqsChecks(ministack.clients.sqs, url)

    @pytest.fixture
    def heard(self, ministack: Adapters, url: str) -> Heard:
        def heard(number: int) -> list[Check]:
            found: list[Check] = []
            end = time.monotonic() + 20
            while len(found) < number and time.monotonic() < end:
                answer = ministack.clients.sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2
                )
                found += [from_body(each["Body"]) for each in answer.get("Messages", [])]
            return found

        return heard

    def test_a_check_waits(self, ministack: Adapters, checks: Checks, url: str) -> None:
        checks.later([Check("m", 1, 900), Check("m", 2, 0)])
        attributes = ministack.clients.sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
        )["Attributes"]
        assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"

    def test_more_seconds_than_the_queue_takes_are_as_many_as_it_does(
        self, ministack: Adapters, checks: Checks, url: str
    ) -> None:
        checks.later([Check("m", 1, 86_400), Check("m", 2, -5)])
        attributes = ministack.clients.sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
        )["Attributes"]
        assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"

    def test_a_missing_queue_is_not_found(self, ministack: Adapters, url: str) -> None:
        gone = SqsChecks(ministack.clients.sqs, f"{url}-gone")
        with pytest.raises(NotFound, match=r"could not send to the queue .*is the stack deployed"):
            gone.later([Check("m", 1, 0)])


# -- what the queue may answer ---------------------------------------------------------------------


class Client:
    """SQS that refuses the entries at some positions of its first requests."""

    def __init__(self, *refused: set[int], error: Exception | None = None) -> None:
        self.refused = list(refused)
        self.error = error
        self.requests: list[list[Check]] = []
        self.taken: list[Check] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto's
        if self.error is not None:
            raise self.error
        assert 1 <= len(Entries) <= ENTRIES
        assert len({each["Id"] for each in Entries}) == len(Entries)
        assert all(0 <= each["DelaySeconds"] <= 900 for each in Entries)
        bad = self.refused.pop(0) if self.refused else set()
        checks = [from_body(each["MessageBody"]) for each in Entries]
        self.requests.append(checks)
        self.taken += [check for index, check in enumerate(checks) if index not in bad]
        failed = [
            {"Id": Entries[index]["Id"], "Code": "Throttled", "Message": "slow down"}
            for index in sorted(bad)
        ]
        return {"Failed": failed} if failed else {}


def send(client: Any, count: int = 12) -> list[Check]:
    asked = [Check("m", number, number) for number in range(count)]
    SqsChecks(client, "url").later(asked)
    return asked


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between tries take no time here."""
    waits: list[float] = []
    monkeypatch.setattr(backoff, "time", type("Time", (), {"sleep": waits.append}))
    return waits


def test_ten_checks_a_request() -> None:
    client = Client()
    asked = send(client, 23)
    assert client.requests == [asked[:10], asked[10:20], asked[20:]]


def test_what_the_queue_refused_is_sent_again_and_nothing_else(waits: list[float]) -> None:
    client = Client({1, 3}, {0})
    asked = send(client)
    assert client.requests == [asked[:10], [asked[1], asked[3]], [asked[1]], asked[10:]]
    assert sorted(client.taken, key=lambda each: each.number) == asked
    assert len(waits) == 2


def test_a_queue_that_goes_on_refusing_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"url after 8 tries: Throttled: slow down"):
        send(Client(*[{0}] * 20))


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "SendMessageBatch"),
        EndpointConnectionError(endpoint_url="http://sqs"),
    ],
)
def test_a_queue_that_does_not_answer_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable, match="could not send to the queue url"):
        send(Client(error=error))


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "\ud800", '{"machine":"m"}', '{"machine":5,"number":1,"seconds":1}'],
)
def test_a_body_that_is_no_check_is_corrupted(body: str) -> None:
    with pytest.raises(Corrupted, match="in the queue of checks is no check"):
        from_body(body)


def test_the_body_is_plain_json() -> None:
    body = '{"machine":"m","number":7,"seconds":30,"waited":0,"again":0}'
    assert to_body(Check("m", 7, 30)) == body
    assert from_body('{"machine":"m","number":7,"seconds":30}') == Check("m", 7, 30)
