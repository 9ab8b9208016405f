"""SQS, with the operations and parameters that the adapters and their tests use.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from hashlib import md5
from typing import TYPE_CHECKING, Any

from tests.simulation.services.faults import refusal
from tests.simulation.services.hook import Answer, Call, Client, Hook, PartFailed, operation
from tests.simulation.services.queues import FifoQueue, Message, Queue, QueueRefused, StandardQueue

if TYPE_CHECKING:
    from tests.simulation.services.cloud import Cloud

ENTRIES = 10
MESSAGE_BYTES = 1024 * 1024
"""The largest message, and the largest batch."""

ATTRIBUTES = 10
"""Attributes that a message may have."""

LONGEST_DELAY = 900

_LEGACY = "AWS.SimpleQueueService."
"""What stands before some codes, for clients of the old protocol; boto3 passes it on."""

_IDENTIFIER = re.compile(r"[a-zA-Z0-9!-/:-@\[-`{-~]{1,128}")
"""Group and deduplication ids: alphanumeric and punctuation."""

_UNTELLABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""https://www.w3.org/TR/REC-xml/#charsets"""


def _refuses(function: Callable[[Any, Call], Answer]) -> Callable[[Any, Call], Answer]:
    """Raise what boto3 raises for what SQS refuses."""

    @wraps(function)
    def method(self: Sqs, call: Call) -> Answer:
        try:
            return function(self, call)
        except QueueRefused as error:
            raise refusal(call.operation, error.code, error.message) from None

    return method


class Sqs(Client):
    """A boto3 SQS client of a cloud.

    Args:
        cloud: Where the queues are.
        hook: What happens around calls.
        sender: Whom SQS takes the client for.
    """

    client = "sqs"

    def __init__(self, cloud: Cloud, hook: Hook, sender: str) -> None:
        super().__init__(hook)
        self._cloud = cloud
        self._sender = sender
        self.meta = cloud.meta

    @operation(
        "SendMessage",
        ("QueueUrl", "MessageBody"),
        ("MessageGroupId", "MessageDeduplicationId", "DelaySeconds", "MessageAttributes"),
    )
    @_refuses
    def send_message(self, call: Call) -> Answer:
        """Send a message."""
        return self._send(self._queue(call), call.params)

    @operation("SendMessageBatch", ("QueueUrl", "Entries"))
    @_refuses
    def send_message_batch(self, call: Call) -> Answer:
        """Send messages, in order, each by itself."""
        queue = self._queue(call)
        if sum(map(_bytes_of, call.params["Entries"])) > MESSAGE_BYTES:
            raise QueueRefused(
                f"{_LEGACY}BatchRequestTooLong",
                f"Batch requests cannot be longer than {MESSAGE_BYTES} bytes.",
            )
        known = {"Id", "MessageBody", "MessageGroupId", "MessageDeduplicationId", "DelaySeconds"}
        known |= {"MessageAttributes"}
        return self._batch(call, known, lambda entry: self._send(queue, entry))

    @operation(
        "ReceiveMessage",
        ("QueueUrl",),
        (
            "MaxNumberOfMessages",
            "VisibilityTimeout",
            "WaitTimeSeconds",
            "MessageSystemAttributeNames",
            "MessageAttributeNames",
            "ReceiveRequestAttemptId",
        ),
    )
    @_refuses
    def receive_message(self, call: Call) -> Answer:
        """Receive messages that are there; nobody waits for others."""
        if call.params.get("WaitTimeSeconds", 0):
            raise NotImplementedError("long polling")
        most = call.params.get("MaxNumberOfMessages", 1)
        if not 1 <= most <= ENTRIES:
            raise QueueRefused(
                "InvalidParameterValue",
                f"Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be "
                "between 1 and 10, if provided.",
            )
        names = call.params.get("MessageSystemAttributeNames", [])
        queue, seconds = self._queue(call), call.params.get("VisibilityTimeout")
        attempt = call.params.get("ReceiveRequestAttemptId")
        if attempt is None:
            taken = queue.take(most, seconds)
        elif isinstance(queue, FifoQueue):
            taken = queue.take_once(most, seconds, attempt)
        else:
            raise NotImplementedError("an attempt id in a standard queue")
        messages = [_told(each, names) for each in taken]
        wanted = call.params.get("MessageAttributeNames", [])
        for message, each in zip(messages, taken, strict=True):
            if named := {k: v for k, v in each.named.items() if k in wanted or "All" in wanted}:
                message["MessageAttributes"] = {
                    name: {"StringValue": text, "DataType": "String"}
                    for name, text in named.items()
                }
                message["MD5OfMessageAttributes"] = _md5_of(named)
        return {"Messages": messages} if messages else {}

    @operation("DeleteMessage", ("QueueUrl", "ReceiptHandle"))
    @_refuses
    def delete_message(self, call: Call) -> Answer:
        """Delete a message that was received."""
        self._queue(call).delete(call.params["ReceiptHandle"])
        return {}

    @operation("DeleteMessageBatch", ("QueueUrl", "Entries"))
    @_refuses
    def delete_message_batch(self, call: Call) -> Answer:
        """Delete messages, each by itself."""
        queue = self._queue(call)

        def delete(entry: dict[str, Any]) -> Answer:
            queue.delete(entry["ReceiptHandle"])
            return {}

        return self._batch(call, {"Id", "ReceiptHandle"}, delete)

    @operation("ChangeMessageVisibility", ("QueueUrl", "ReceiptHandle", "VisibilityTimeout"))
    @_refuses
    def change_message_visibility(self, call: Call) -> Answer:
        """Let a message be received again earlier or later."""
        self._queue(call).change_visibility(
            call.params["ReceiptHandle"], call.params["VisibilityTimeout"]
        )
        return {}

    @operation("ChangeMessageVisibilityBatch", ("QueueUrl", "Entries"))
    @_refuses
    def change_message_visibility_batch(self, call: Call) -> Answer:
        """Let messages be received again earlier or later, each by itself."""
        queue = self._queue(call)

        def change(entry: dict[str, Any]) -> Answer:
            queue.change_visibility(entry["ReceiptHandle"], entry["VisibilityTimeout"])
            return {}

        return self._batch(call, {"Id", "ReceiptHandle", "VisibilityTimeout"}, change)

    def _queue(self, call: Call) -> Queue:
        queue = self._cloud.queues.get(call.params["QueueUrl"])
        if queue is None:
            raise QueueRefused(f"{_LEGACY}NonExistentQueue", "The specified queue does not exist.")
        return queue

    def _batch(self, call: Call, known: set[str], do: Callable[[dict[str, Any]], Answer]) -> Answer:
        """Do something for each entry, and answer with what was done and what was not."""
        entries: list[dict[str, Any]] = call.params["Entries"]
        if not entries:
            raise QueueRefused(
                f"{_LEGACY}EmptyBatchRequest",
                f"There should be at least one {call.operation}RequestEntry in the request.",
            )
        if len(entries) > ENTRIES:
            raise QueueRefused(
                f"{_LEGACY}TooManyEntriesInBatchRequest",
                f"Maximum number of entries per request are {ENTRIES}. You have sent "
                f"{len(entries)}.",
            )
        if len({each["Id"] for each in entries}) < len(entries):
            raise QueueRefused(f"{_LEGACY}BatchEntryIdsNotDistinct", "Id repeated.")
        done, failed = [], []
        for index, entry in enumerate(entries):
            if strange := entry.keys() - known:
                raise NotImplementedError(f"{call.operation} of {strange}")

            def part(entry: dict[str, Any] = entry) -> Answer:
                return do(entry)

            try:
                done.append({"Id": entry["Id"], **self.hook.part(call, index, part)})
            except (PartFailed, QueueRefused) as error:
                failed.append(
                    {
                        "Id": entry["Id"],
                        "SenderFault": isinstance(error, QueueRefused),
                        "Code": error.code,
                        "Message": error.message,
                    }
                )
        answer: Answer = {}
        if done:
            answer["Successful"] = done
        if failed:
            answer["Failed"] = failed
        return answer

    def _send(self, queue: Queue, entry: dict[str, Any]) -> Answer:
        body: str = entry["MessageBody"]
        named = _named(entry)
        _check_body(body, _bytes_of(entry))
        group, deduplication = entry.get("MessageGroupId"), entry.get("MessageDeduplicationId")
        if isinstance(queue, FifoQueue):
            if group is None:
                raise QueueRefused(
                    "MissingParameter", "The request must contain the parameter MessageGroupId."
                )
            if deduplication is None:
                raise QueueRefused(
                    "InvalidParameterValue",
                    "The queue should either have ContentBasedDeduplication enabled or "
                    "MessageDeduplicationId provided explicitly",
                )
            if "DelaySeconds" in entry:
                raise QueueRefused(
                    "InvalidParameterValue",
                    f"Value {entry['DelaySeconds']} for parameter DelaySeconds is invalid. Reason: "
                    "The request include parameter that is not valid for this queue type.",
                )
            for name, text in (("Group", group), ("Deduplication", deduplication)):
                if not _IDENTIFIER.fullmatch(text):
                    raise QueueRefused(
                        "InvalidParameterValue",
                        f"Value {text} for parameter Message{name}Id is invalid. Reason: "
                        f"Message{name}Id can only include alphanumeric and punctuation "
                        "characters. 1 to 128 in length.",
                    )
            message = queue.send(body, self._sender, group, deduplication, named)
        elif isinstance(queue, StandardQueue):
            if group is not None or deduplication is not None:
                raise NotImplementedError("groups in a standard queue")
            delay = entry.get("DelaySeconds", 0)
            if not 0 <= delay <= LONGEST_DELAY:
                raise QueueRefused(
                    "InvalidParameterValue",
                    f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds "
                    "must be >= 0 and <= 900.",
                )
            message = queue.send(body, self._sender, delay, named)
        else:
            raise TypeError(f"{queue} is no queue")
        answer = {"MessageId": message.id, "MD5OfMessageBody": _md5(body)}
        if named:
            answer["MD5OfMessageAttributes"] = _md5_of(named)
        return {**answer, "SequenceNumber": message.sequence} if message.sequence else answer


def _named(entry: dict[str, Any]) -> dict[str, str]:
    """The attributes that a sender gives a message; texts alone."""
    named: dict[str, str] = {}
    for name, attribute in entry.get("MessageAttributes", {}).items():
        if attribute.keys() != {"DataType", "StringValue"} or attribute["DataType"] != "String":
            raise NotImplementedError(f"a message attribute like {attribute}")
        if not attribute["StringValue"]:
            raise QueueRefused(
                "InvalidParameterValue",
                f"Message (user) attribute '{name}' must contain a non-empty value of type "
                "'String'.",
            )
        named[name] = attribute["StringValue"]
    if len(named) > ATTRIBUTES:
        raise NotImplementedError(f"{len(named)} message attributes")
    return named


def _bytes_of(entry: dict[str, Any]) -> int:
    """A message's size as SQS counts it: attributes with their names, types and values."""
    size = len(entry["MessageBody"].encode(errors="surrogatepass"))
    for name, attribute in entry.get("MessageAttributes", {}).items():
        size += sum(len(text.encode()) for text in (name, *attribute.values()))
    return size


def _md5_of(named: dict[str, str]) -> str:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation"""
    packed = b""
    for name, text in sorted(named.items()):
        for each in (name, "String"):
            packed += len(each.encode()).to_bytes(4, "big") + each.encode()
        packed += b"\x01" + len(text.encode()).to_bytes(4, "big") + text.encode()
    return md5(packed).hexdigest()


def _check_body(body: str, size: int) -> None:
    if not body:
        raise QueueRefused(
            "MissingParameter", "The request must contain the parameter MessageBody."
        )
    if size > MESSAGE_BYTES:
        raise QueueRefused(
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{MESSAGE_BYTES} bytes.",
        )
    if _UNTELLABLE.search(body):
        raise QueueRefused("InvalidMessageContents", "Invalid characters in the message body.")


def _told(message: Message, names: list[str]) -> Answer:
    told: Answer = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }
    attributes = message.attributes()
    if "All" not in names:
        attributes = {name: each for name, each in attributes.items() if name in names}
    if attributes:
        told["Attributes"] = attributes
    return told


def _md5(body: str) -> str:
    return md5(body.encode()).hexdigest()
