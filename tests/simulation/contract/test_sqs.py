"""The contract of SQS, as far as the adapters and the event sources use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import md5
from typing import Any
from uuid import uuid4

import pytest

from tests.simulation.contract.backends import Backend, code_of

LEGACY = "AWS.SimpleQueueService."


@pytest.fixture
def fifo(backend: Backend) -> str:
    """A queue whose messages stay invisible for longer than a test takes."""
    return backend.queue(True, 60, 100)[0]


def send(on: Backend, url: str, group: str, body: str, **more: str) -> Any:
    return on.sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageGroupId=group,
        MessageDeduplicationId=more.get("deduplication", uuid4().hex),
    )


def receive(on: Backend, url: str, most: int = 10) -> list[Any]:
    answer = on.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=most, MessageSystemAttributeNames=["All"]
    )
    return list(answer.get("Messages", []))


def bodies(messages: Iterable[Any]) -> list[str]:
    return [each["Body"] for each in messages]


def delete(on: Backend, url: str, message: Any) -> None:
    on.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


# -- order and groups ------------------------------------------------------------------------------


def test_a_message_comes_with_what_is_known_of_it(backend: Backend, fifo: str) -> None:
    sent = send(backend, fifo, "machine/1", '{"é": "😀"}', deduplication="d-1")
    (message,) = receive(backend, fifo)
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == '{"é": "😀"}'
    digest = md5(message["Body"].encode()).hexdigest()
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"] == digest
    attributes = message["Attributes"]
    assert attributes["MessageGroupId"] == "machine/1"
    assert attributes["MessageDeduplicationId"] == "d-1"
    assert attributes["SequenceNumber"] == sent["SequenceNumber"]
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SenderId"]
    assert int(attributes["SentTimestamp"]) <= int(attributes["ApproximateFirstReceiveTimestamp"])


def test_a_message_comes_with_the_attributes_that_it_was_sent_with(
    backend: Backend, fifo: str
) -> None:
    attributes: Any = {
        "blockfold.producer": {"DataType": "String", "StringValue": "p-1/2"},
        "blockfold.encoding": {"DataType": "String", "StringValue": "é"},
    }
    message = {"MessageBody": "x", "MessageGroupId": "m", "MessageAttributes": attributes}
    sent = backend.sqs.send_message(QueueUrl=fifo, MessageDeduplicationId="1", **message)
    batch = backend.sqs.send_message_batch(
        QueueUrl=fifo, Entries=[{"Id": "0", "MessageDeduplicationId": "2", **message}]
    )
    digest = sent["MD5OfMessageAttributes"]
    assert batch["Successful"][0]["MD5OfMessageAttributes"] == digest
    received = backend.sqs.receive_message(
        QueueUrl=fifo, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    assert [each["MessageAttributes"] for each in received] == [attributes] * 2
    assert [each["MD5OfMessageAttributes"] for each in received] == [digest] * 2


def test_attributes_that_nobody_asks_for_do_not_come(backend: Backend, fifo: str) -> None:
    attributes: Any = {"a": {"DataType": "String", "StringValue": "1"}}
    backend.sqs.send_message(
        QueueUrl=fifo,
        MessageBody="x",
        MessageGroupId="m",
        MessageDeduplicationId="1",
        MessageAttributes=attributes,
    )
    (message,) = receive(backend, fifo)
    assert "MessageAttributes" not in message


def test_sequence_numbers_have_twenty_digits_and_grow(backend: Backend, fifo: str) -> None:
    numbers = [send(backend, fifo, "m", "x")["SequenceNumber"] for _ in range(5)]
    assert {len(number) for number in numbers} == {20}
    assert sorted(set(numbers)) == numbers


def test_a_group_comes_in_order_and_its_rest_waits_for_what_is_in_work(
    backend: Backend, fifo: str
) -> None:
    for number in range(5):
        send(backend, fifo, "m", str(number))
    first = receive(backend, fifo, 3)
    assert bodies(first) == ["0", "1", "2"]
    assert receive(backend, fifo) == []
    delete(backend, fifo, first[0])
    assert receive(backend, fifo) == []
    for message in first[1:]:
        delete(backend, fifo, message)
    assert bodies(receive(backend, fifo)) == ["3", "4"]


def test_groups_do_not_wait_for_each_other(backend: Backend, fifo: str) -> None:
    for group in ("a", "b"):
        send(backend, fifo, group, group)
    (first,) = receive(backend, fifo, 1)
    (second,) = receive(backend, fifo, 1)
    assert {first["Body"], second["Body"]} == {"a", "b"}


def test_ten_messages_at_once_in_the_order_of_each_group(backend: Backend, fifo: str) -> None:
    for number in range(6):
        for group in ("a", "b"):
            send(backend, fifo, group, f"{group}{number}")
    seen: list[str] = []
    for _ in range(12):
        messages = receive(backend, fifo)
        assert len(messages) <= 10
        seen += bodies(messages)
        for message in messages:
            delete(backend, fifo, message)
    for group in ("a", "b"):
        mine = [body for body in seen if body[0] == group]
        assert mine == [f"{group}{number}" for number in range(6)]


# -- deduplication ---------------------------------------------------------------------------------


def test_the_same_message_again_is_taken_and_dropped(backend: Backend, fifo: str) -> None:
    first = send(backend, fifo, "m", "x", deduplication="same")
    second = send(backend, fifo, "m", "y", deduplication="same")
    assert second["MessageId"] == first["MessageId"]
    (message,) = receive(backend, fifo)
    delete(backend, fifo, message)
    send(backend, fifo, "m", "z", deduplication="same")
    assert receive(backend, fifo) == []


def test_a_batch_deduplicates_too(backend: Backend, fifo: str) -> None:
    entries = [
        {
            "Id": str(number),
            "MessageBody": str(number),
            "MessageGroupId": "m",
            "MessageDeduplicationId": "same" if number else "other",
        }
        for number in range(3)
    ]
    answer = backend.sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["0", "1", "2"]
    assert not answer.get("Failed")
    assert bodies(receive(backend, fifo)) == ["0", "1"]


# -- visibility ------------------------------------------------------------------------------------


def test_a_message_that_is_not_deleted_comes_again(backend: Backend) -> None:
    url, _ = backend.queue(True, 1, 100)
    for body in ("0", "1"):
        send(backend, url, "m", body)
    first = receive(backend, url)
    backend.sleep(1.3)
    second = receive(backend, url)
    assert bodies(second) == ["0", "1"]
    assert [each["Attributes"]["ApproximateReceiveCount"] for each in second] == ["2", "2"]
    first_times = {each["Attributes"]["ApproximateFirstReceiveTimestamp"] for each in second}
    assert first_times == {each["Attributes"]["ApproximateFirstReceiveTimestamp"] for each in first}
    assert second[0]["ReceiptHandle"] != first[0]["ReceiptHandle"]
    for message in second:
        delete(backend, url, message)
    assert receive(backend, url) == []


def test_a_receipt_expires_with_the_visibility_timeout(backend: Backend) -> None:
    """https://repost.aws/knowledge-center/sqs-receipt-handle-error: of FIFO queues."""
    url, _ = backend.queue(True, 1, 100)
    send(backend, url, "m", "0")
    (first,) = receive(backend, url)
    backend.sleep(1.3)
    assert code_of(lambda: delete(backend, url, first)) == "InvalidParameterValue"
    (second,) = receive(backend, url)
    assert second["Body"] == "0"
    assert code_of(lambda: delete(backend, url, first)) == "InvalidParameterValue"


def test_an_old_receipt_of_a_standard_message_deletes_nothing_and_is_no_error(
    backend: Backend,
) -> None:
    url, _ = backend.queue(False, 60, 100)
    backend.sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = receive(backend, url)
    backend.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
    )
    (second,) = receive(backend, url)
    delete(backend, url, first)
    backend.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0
    )
    (third,) = receive(backend, url)
    assert third["MessageId"] == first["MessageId"]


def test_deleting_a_message_twice_is_no_error(backend: Backend, fifo: str) -> None:
    send(backend, fifo, "m", "x")
    (message,) = receive(backend, fifo)
    for _ in range(2):
        delete(backend, fifo, message)


def test_a_released_message_comes_at_once(backend: Backend, fifo: str) -> None:
    for body in ("0", "1", "2"):
        send(backend, fifo, "m", body)
    first = receive(backend, fifo, 2)
    backend.sqs.change_message_visibility(
        QueueUrl=fifo, ReceiptHandle=first[1]["ReceiptHandle"], VisibilityTimeout=0
    )
    delete(backend, fifo, first[0])
    again = receive(backend, fifo)
    assert bodies(again) == ["1", "2"]


def test_a_group_waits_while_one_of_its_messages_is_in_work(backend: Backend, fifo: str) -> None:
    for body in ("0", "1"):
        send(backend, fifo, "m", body)
    first = receive(backend, fifo)
    backend.sqs.change_message_visibility(
        QueueUrl=fifo, ReceiptHandle=first[0]["ReceiptHandle"], VisibilityTimeout=0
    )
    assert receive(backend, fifo) == []


def test_releasing_many_answers_for_each(backend: Backend, fifo: str) -> None:
    for group in "abc":
        send(backend, fifo, group, group)
    messages = receive(backend, fifo)
    delete(backend, fifo, messages[0])
    entries = [
        {"Id": str(at), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
        for at, each in enumerate(messages)
    ]
    entries.append({"Id": "none", "ReceiptHandle": "none", "VisibilityTimeout": 0})
    answer = backend.sqs.change_message_visibility_batch(QueueUrl=fifo, Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["1", "2"]
    failed = {each["Id"]: each["Code"] for each in answer["Failed"]}
    assert failed["none"] == "ReceiptHandleIsInvalid"
    assert failed.keys() == {"0", "none"}
    assert sorted(bodies(receive(backend, fifo))) == sorted(bodies(messages[1:]))


# -- dead letters ----------------------------------------------------------------------------------


def test_what_was_received_too_often_leaves_for_the_dead_letters(backend: Backend) -> None:
    url, dead = backend.queue(True, 60, 2)
    sent = [send(backend, url, "m", body) for body in ("0", "1")]
    for _ in range(2):
        (message,) = receive(backend, url, 1)
        assert message["Body"] == "0"
        backend.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    (message,) = receive(backend, url)
    assert message["Body"] == "1"
    (letter,) = receive(backend, dead)
    assert letter["Body"] == "0"
    assert letter["MessageId"] == sent[0]["MessageId"]
    assert letter["Attributes"]["MessageGroupId"] == "m"


# -- the standard queue ----------------------------------------------------------------------------


def test_a_standard_message_waits(backend: Backend) -> None:
    url, _ = backend.queue(False, 60, 100)
    entries = [
        {"Id": str(seconds), "MessageBody": str(seconds), "DelaySeconds": seconds}
        for seconds in (0, 1, 900)
    ]
    answer = backend.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["0", "1", "900"]
    assert bodies(receive(backend, url)) == ["0"]
    backend.sleep(1.3)
    assert bodies(receive(backend, url)) == ["1"]


def test_a_standard_message_has_no_group(backend: Backend) -> None:
    url, _ = backend.queue(False, 60, 100)
    sent = backend.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert "SequenceNumber" not in sent
    (message,) = receive(backend, url)
    assert message["Attributes"].keys() == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }


def test_standard_messages_are_deleted_one_by_one(backend: Backend) -> None:
    url, _ = backend.queue(False, 60, 100)
    for number in range(3):
        backend.sqs.send_message(QueueUrl=url, MessageBody=str(number))
    messages = receive(backend, url)
    assert sorted(bodies(messages)) == ["0", "1", "2"]
    entries = [{"Id": each["Body"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
    answer = backend.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    assert sorted(each["Id"] for each in answer["Successful"]) == ["0", "1", "2"]


# -- what it does not take -------------------------------------------------------------------------


BAD_MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "no group": ("MissingParameter", {"MessageDeduplicationId": "d"}),
    "no deduplication id": ("InvalidParameterValue", {"MessageGroupId": "m"}),
    "a delay": (
        "InvalidParameterValue",
        {"MessageGroupId": "m", "MessageDeduplicationId": "d", "DelaySeconds": 1},
    ),
    "a group too long": (
        "InvalidParameterValue",
        {"MessageGroupId": "m" * 129, "MessageDeduplicationId": "d"},
    ),
    "a group of other characters": (
        "InvalidParameterValue",
        {"MessageGroupId": "é", "MessageDeduplicationId": "d"},
    ),
    "a deduplication id with a space": (
        "InvalidParameterValue",
        {"MessageGroupId": "m", "MessageDeduplicationId": "a b"},
    ),
    "a body too long": (
        "InvalidParameterValue",
        {
            "MessageGroupId": "m",
            "MessageDeduplicationId": "d",
            "MessageBody": "x" * (1024 * 1024 + 1),
        },
    ),
    "a character that XML does not have": (
        "InvalidMessageContents",
        {"MessageGroupId": "m", "MessageDeduplicationId": "d", "MessageBody": "a\x00b"},
    ),
    "an empty body": (
        "MissingParameter",
        {"MessageGroupId": "m", "MessageDeduplicationId": "d", "MessageBody": ""},
    ),
}


@pytest.mark.parametrize(("code", "given"), BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_a_message_that_it_does_not_take(
    backend: Backend, fifo: str, code: str, given: dict[str, Any]
) -> None:
    arguments = {"QueueUrl": fifo, "MessageBody": "x", **given}
    assert code_of(lambda: backend.sqs.send_message(**arguments)) == code
    assert receive(backend, fifo) == []


def test_the_largest_message_is_a_mebibyte(backend: Backend, fifo: str) -> None:
    send(backend, fifo, "m", "x" * 1024 * 1024)
    (message,) = receive(backend, fifo)
    assert len(message["Body"]) == 1024 * 1024


def entries_of(*ids: str) -> list[dict[str, str]]:
    return [{"Id": id_, "MessageBody": "x"} for id_ in ids]


BAD_BATCHES: dict[str, tuple[str, list[dict[str, str]]]] = {
    "empty": ("EmptyBatchRequest", []),
    "eleven": ("TooManyEntriesInBatchRequest", entries_of(*"abcdefghijk")),
    "an id twice": ("BatchEntryIdsNotDistinct", entries_of("a", "a")),
    "more than a mebibyte": (
        "BatchRequestTooLong",
        [{"Id": each, "MessageBody": "x" * 600_000} for each in "ab"],
    ),
}


@pytest.mark.parametrize(("code", "entries"), BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_batch_that_it_does_not_take(
    backend: Backend, code: str, entries: list[dict[str, str]]
) -> None:
    url, _ = backend.queue(False, 60, 100)
    send_batch = backend.sqs.send_message_batch
    assert code_of(lambda: send_batch(QueueUrl=url, Entries=entries)) == LEGACY + code
    assert receive(backend, url) == []


MISSING: dict[str, Callable[[Any, str], object]] = {
    "send": lambda sqs, url: sqs.send_message(QueueUrl=url, MessageBody="x"),
    "send many": lambda sqs, url: sqs.send_message_batch(QueueUrl=url, Entries=entries_of("a")),
    "receive": lambda sqs, url: sqs.receive_message(QueueUrl=url),
    "delete": lambda sqs, url: sqs.delete_message(QueueUrl=url, ReceiptHandle="x"),
    "release": lambda sqs, url: sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{"Id": "0", "ReceiptHandle": "x", "VisibilityTimeout": 0}]
    ),
}


@pytest.mark.parametrize("call", MISSING.values(), ids=MISSING)
def test_a_missing_queue(backend: Backend, fifo: str, call: Callable[[Any, str], object]) -> None:
    assert code_of(lambda: call(backend.sqs, f"{fifo}none")) == f"{LEGACY}NonExistentQueue"


@pytest.mark.parametrize("fifo_queue", [True, False], ids=["fifo", "standard"])
def test_a_receipt_that_is_none(backend: Backend, fifo_queue: bool) -> None:
    url, _ = backend.queue(fifo_queue, 60, 100)
    sqs = backend.sqs
    calls: list[Callable[[], object]] = [
        lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle="none"),
        lambda: sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle="none", VisibilityTimeout=0
        ),
    ]
    assert [code_of(call) for call in calls] == ["ReceiptHandleIsInvalid"] * 2
