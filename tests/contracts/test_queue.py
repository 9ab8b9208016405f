"""The actions queue on a real FIFO queue of the emulator."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest

from blockfold.adapters.clients import Clients
from blockfold.adapters.sqs import SqsQueue
from blockfold.domain.errors import NotFound, Unavailable
from tests.contracts import resources
from tests.emulator import BareEmulator


@pytest.fixture(scope="module")
def clients(emulator: BareEmulator) -> Clients:
    return resources.clients_of(emulator)


@pytest.fixture
def url(clients: Clients) -> str:
    """A new queue whose messages stay invisible for longer than any test runs."""
    answer = clients.sqs.create_queue(
        QueueName=f"actions-{uuid4().hex[:8]}.fifo",
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "360"},
    )
    return answer["QueueUrl"]


def receive(clients: Clients, url: str, seconds: int = 0) -> list[Any]:
    answer = clients.sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=seconds,
        MessageSystemAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def test_equal_messages_are_all_kept_in_order(clients: Clients, url: str) -> None:
    queue = SqsQueue(clients.sqs, url)
    bodies = ["same", "same", "other", "same"]
    receipts = [queue.send("m", body) for body in bodies]
    received = receive(clients, url)
    assert [message["Body"] for message in received] == bodies
    assert [message["MessageId"] for message in received] == [each.message for each in receipts]
    sequences = [int(each.sequence) for each in receipts]
    assert sequences == sorted(set(sequences))
    assert {message["Attributes"]["MessageGroupId"] for message in received} == {"m"}
    assert [message["Attributes"]["SequenceNumber"] for message in received] == [
        each.sequence for each in receipts
    ]


def test_released_messages_come_again_in_order_long_before_the_visibility_timeout(
    clients: Clients, url: str
) -> None:
    queue = SqsQueue(clients.sqs, url)
    for number in range(10):
        queue.send("m", str(number))
    first = receive(clients, url)
    assert receive(clients, url) == []
    queue.release([message["ReceiptHandle"] for message in first[3:]], 0)
    clients.sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]}
            for message in first[:3]
        ],
    )
    started = time.monotonic()
    again = receive(clients, url, 5)
    assert time.monotonic() - started < 5
    assert [message["Body"] for message in again] == [str(number) for number in range(3, 10)]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in again} == {"2"}


def test_more_messages_than_one_call_takes_are_released(clients: Clients, url: str) -> None:
    queue = SqsQueue(clients.sqs, url)
    for number in range(14):
        queue.send(f"m{number}", "x")
    first = [*receive(clients, url), *receive(clients, url)]
    assert len(first) == 14
    queue.release([message["ReceiptHandle"] for message in first], 0)
    assert len([*receive(clients, url), *receive(clients, url)]) == 14


def test_a_receipt_that_is_none_is_unavailable(clients: Clients, url: str) -> None:
    queue = SqsQueue(clients.sqs, url)
    queue.send("m", "x")
    (message,) = receive(clients, url)
    with pytest.raises(Unavailable, match="could not release"):
        queue.release([message["ReceiptHandle"], "no receipt"], 0)


def test_a_missing_queue_is_not_found(clients: Clients, url: str) -> None:
    queue = SqsQueue(clients.sqs, f"{url[:-5]}-gone.fifo")
    with pytest.raises(NotFound, match=r"could not send to machine 'm'.*is the stack deployed"):
        queue.send("m", "x")
    with pytest.raises(NotFound, match="could not release"):
        queue.release(["r"], 0)
