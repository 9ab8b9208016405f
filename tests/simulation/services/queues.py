"""Queues: what SQS keeps, and what its event sources hand to functions.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/welcome.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from random import Random
from typing import Any, Protocol
from uuid import UUID

WINDOW = 5 * 60 * 1000
"""Milliseconds for which a FIFO queue knows a deduplication id.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html"""

FIRST_SEQUENCE = 18_849_496_460_467_696_128
"""Of 20 digits, as AWS's examples have it."""

RECREATED_SEQUENCE = 10_000_000_000_000_000_000
"""Where the numbers of a queue start that was deleted and made again: below the old ones."""


class World(Protocol):
    """What a queue asks of the cloud."""

    @property
    def random(self) -> Random: ...
    def now(self) -> int: ...


class QueueRefused(Exception):
    """A request that SQS refuses.

    Attributes:
        code: SQS's error code.
        message: What it says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(slots=True, eq=False)
class Message:
    """A message in a queue.

    Attributes:
        id: Its id.
        body: Its text.
        sender: Who sent it, as SQS authenticated it.
        sent: When the queue took it, milliseconds since 1970.
        visible: When it may be received (again), milliseconds since 1970.
        group: Its group; empty in a standard queue.
        deduplication: Its deduplication id; empty in a standard queue.
        sequence: Its number in its group; empty in a standard queue.
        received: How often it was received.
        first: When it was received first, milliseconds since 1970.
        receipt: The handle of the last time that it was received; empty before the first.
        named: The attributes that its sender gave it: name → text.
    """

    id: str
    body: str
    sender: str
    sent: int
    visible: int
    group: str = ""
    deduplication: str = ""
    sequence: str = ""
    received: int = 0
    first: int = 0
    receipt: str = ""
    named: Mapping[str, str] = field(default_factory=dict)

    def attributes(self) -> dict[str, str]:
        """Its attributes as SQS tells them."""
        told = {
            "ApproximateReceiveCount": str(self.received),
            "SentTimestamp": str(self.sent),
            "SenderId": self.sender,
            "ApproximateFirstReceiveTimestamp": str(self.first),
        }
        if self.group:
            told["MessageGroupId"] = self.group
            told["MessageDeduplicationId"] = self.deduplication
            told["SequenceNumber"] = self.sequence
        return told


@dataclass(eq=False)
class Queue:
    """What both kinds of queues have in common.

    Attributes:
        name: Its name.
        url: Its URL.
        arn: Its ARN.
        world: Time and randomness.
        visibility: Seconds for which a received message is not received again.
        retention: Seconds for which a message is kept.
        max_receives: How often a message is received before it goes to `dead_letters`.
        dead_letters: Where messages go that were received too often.
        accepted: Every message that it ever took, in order.
    """

    name: str
    url: str
    arn: str
    world: World
    visibility: int = 30
    retention: int = 4 * 24 * 3600
    max_receives: int = 0
    dead_letters: Queue | None = None
    accepted: list[Message] = field(default_factory=list)
    _messages: list[Message] = field(default_factory=list)
    _receipts: dict[str, Message] = field(default_factory=dict)
    _handles: int = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def messages(self) -> Sequence[Message]:
        """What it holds, in order: to look at."""
        return tuple(self._messages)

    @property
    def next_visible(self) -> int | None:
        """When the next message may be received, milliseconds since 1970; None if it is empty."""
        return min((each.visible for each in self._messages), default=None)

    def in_flight(self, message: Message) -> bool:
        """Whether somebody received it and may still delete it."""
        return bool(message.receipt) and message.visible > self.world.now()

    def select(self, most: int, *, mixed: bool) -> list[Message]:
        """Messages that may be received now."""
        raise NotImplementedError

    def take(
        self, most: int, visibility: int | None = None, *, mixed: bool = False
    ) -> list[Message]:
        """Receive messages: as copies, since the queue's own go on changing.

        Args:
            most: How many at most.
            visibility: Seconds for which they are not received again; the queue's by default.
            mixed: Whether groups come mixed, as a FIFO event source may hand them over.
        """
        now = self.world.now()
        taken = []
        for each in self.select(most, mixed=mixed):
            self._handles += 1
            each.received += 1
            each.first = each.first or now
            each.visible = now + 1000 * (self.visibility if visibility is None else visibility)
            each.receipt = f"{self.name}/{each.id}/{self._handles}"
            self._receipts[each.receipt] = each
            taken.append(_copy(each))
        return taken

    def receive(self, most: int = 10) -> Batch | None:
        """What the event source hands to its function next; None if there is nothing."""
        taken = self.take(most, mixed=True)
        return Batch(self, taken) if taken else None

    def delete(self, receipt: str) -> None:
        """Delete a message; that it is gone already is no error.

        Raises:
            QueueRefused: The receipt is none, or it has expired (FIFO).
        """
        message = self._of(receipt)
        if message in self._messages and self._is_valid(message, receipt):
            self._drop(message)

    def change_visibility(self, receipt: str, seconds: int) -> None:
        """Let a message be received again earlier or later.

        Raises:
            QueueRefused: The receipt is none, or the message is not in flight by it.
        """
        if not 0 <= seconds <= 12 * 3600:
            raise QueueRefused(
                "InvalidParameterValue",
                f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be "
                "between 0 and 43200, if provided.",
            )
        message = self._of(receipt)
        if (
            message not in self._messages
            or message.receipt != receipt
            or not self.in_flight(message)
        ):
            raise QueueRefused(
                "InvalidParameterValue",
                f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does "
                "not exist or is not available for visibility timeout change.",
            )
        message.visible = self.world.now() + 1000 * seconds

    def expire(self) -> int:
        """Drop what is older than the retention; how many."""
        oldest = self.world.now() - 1000 * self.retention
        old = [each for each in self._messages if each.sent <= oldest]
        for each in old:
            self._drop(each)
        return len(old)

    def redrive(self, to: Queue) -> int:
        """Move all messages to a queue, as new ones, as ``StartMessageMoveTask`` does; how many."""
        moved = [*self._messages]
        for each in moved:
            self._drop(each)
            to.arrive(_again(each, self._new_id(), self.world.now()))
        return len(moved)

    def bury(self, message: Message) -> None:
        """Give a message up, as if it had been received too often."""
        assert self.dead_letters is not None, "there is a place for it"
        self._drop(message)
        self.dead_letters.arrive(_again(message, message.id, message.sent))

    def arrive(self, message: Message) -> None:
        """Take a message in."""
        self.accepted.append(message)
        self._messages.append(message)

    def _is_valid(self, message: Message, receipt: str) -> bool:
        raise NotImplementedError

    def _live(self) -> Iterable[Message]:
        """Messages in order; those that were received too often leave on the way."""
        now = self.world.now()
        for each in [*self._messages]:
            full = self.max_receives and each.received >= self.max_receives
            if full and each.visible <= now and self.dead_letters is not None:
                self.bury(each)
            else:
                yield each

    def _of(self, receipt: str) -> Message:
        message = self._receipts.get(receipt)
        if message is None:
            raise QueueRefused(
                "ReceiptHandleIsInvalid",
                f'The input receipt handle "{receipt}" is not a valid receipt handle.',
            )
        return message

    def _drop(self, message: Message) -> None:
        self._messages = [each for each in self._messages if each is not message]

    def _new_id(self) -> str:
        return str(UUID(int=self.world.random.getrandbits(128), version=4))


class StandardQueue(Queue):
    """A queue without order, whose messages may wait before they come first."""

    def send(
        self, body: str, sender: str, delay: int = 0, named: Mapping[str, str] | None = None
    ) -> Message:
        """Take a message, not to be received for `delay` seconds."""
        now = self.world.now()
        visible = now + 1000 * delay
        message = Message(self._new_id(), body, sender, now, visible, named=named or {})
        self.arrive(message)
        return message

    def select(self, most: int, *, mixed: bool) -> list[Message]:
        """Any messages that are visible."""
        now = self.world.now()
        free = [each for each in self._live() if each.visible <= now]
        self.world.random.shuffle(free)
        return free[:most]

    def _is_valid(self, message: Message, receipt: str) -> bool:
        """Only the newest receipt deletes; that others do not is no error."""
        return message.receipt == receipt


@dataclass(eq=False)
class FifoQueue(Queue):
    """A queue that keeps the order of each group, and knows repeated messages for five minutes.

    Throughput and deduplication are by group, as the stack has it.
    """

    _sequence: int = FIRST_SEQUENCE
    _known: dict[tuple[str, str], tuple[int, Message]] = field(default_factory=dict)
    _attempts: dict[str, tuple[int, list[Message]]] = field(default_factory=dict)

    def send(
        self,
        body: str,
        sender: str,
        group: str,
        deduplication: str,
        named: Mapping[str, str] | None = None,
    ) -> Message:
        """Take a message, or find the one that was sent under the same id before."""
        now = self.world.now()
        time, known = self._known.get((group, deduplication), (0, None))
        if known is not None and now - time < WINDOW:
            return known
        message = Message(
            self._new_id(), body, sender, now, now, group, deduplication, named=named or {}
        )
        self.arrive(message)
        self._known[group, deduplication] = (now, message)
        return message

    def arrive(self, message: Message) -> None:
        """Take a message in, under a new number."""
        self._sequence += 256 * (1 + self.world.random.getrandbits(2))
        message.sequence = f"{self._sequence:020d}"
        super().arrive(message)

    def select(self, most: int, *, mixed: bool) -> list[Message]:
        """From the front of groups of which nobody has a message in work."""
        groups: dict[str, list[Message]] = {}
        locked: set[str] = set()
        for each in self._live():
            groups.setdefault(each.group, []).append(each)
            if self.in_flight(each):
                locked.add(each.group)
        free = [list_[::-1] for group, list_ in groups.items() if group not in locked]
        self.world.random.shuffle(free)
        chosen: list[Message] = []
        while free and len(chosen) < most:
            at = self.world.random.randrange(len(free)) if mixed else 0
            chosen.append(free[at].pop())
            if not free[at]:
                del free[at]
        return chosen

    def take_once(self, most: int, visibility: int | None, attempt: str) -> list[Message]:
        """Receive messages, or those of the same attempt again while they are all in flight.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html
        """
        now = self.world.now()
        time, before = self._attempts.get(attempt, (0, []))
        mine = [self._receipts[each.receipt] for each in before]
        if (
            before
            and now - time < WINDOW
            and all(
                each.receipt == old.receipt and self.in_flight(each)
                for each, old in zip(mine, before, strict=True)
            )
        ):
            seconds = self.visibility if visibility is None else visibility
            for each in mine:
                each.visible = now + 1000 * seconds
            return [_copy(each) for each in mine]
        taken = self.take(most, visibility)
        self._attempts[attempt] = (now, taken)
        return taken

    def recreate(self) -> None:
        """Be deleted and made again: empty, and the numbers start below the old ones."""
        self._messages.clear()
        self._receipts.clear()
        self._known.clear()
        self._sequence = RECREATED_SEQUENCE

    def _is_valid(self, message: Message, receipt: str) -> bool:
        if message.receipt != receipt or not self.in_flight(message):
            raise QueueRefused(
                "InvalidParameterValue",
                f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: The receipt "
                "handle has expired.",
            )
        return True


class Batch:
    """Messages that an event source handed to its function."""

    def __init__(self, queue: Queue, messages: Sequence[Message]) -> None:
        self._queue = queue
        self.messages = messages

    @property
    def event(self) -> dict[str, Any]:
        """The event for the function, new each time."""
        return {
            "Records": [
                {
                    "messageId": each.id,
                    "receiptHandle": each.receipt,
                    "body": each.body,
                    "attributes": each.attributes(),
                    "messageAttributes": {
                        name: {
                            "stringValue": text,
                            "stringListValues": [],
                            "binaryListValues": [],
                            "dataType": "String",
                        }
                        for name, text in each.named.items()
                    },
                    "md5OfBody": md5(each.body.encode()).hexdigest(),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self._queue.arn,
                    "awsRegion": self._queue.arn.split(":")[3],
                }
                for each in self.messages
            ]
        }

    def settle(self, answer: dict[str, Any] | None) -> list[str]:
        """Take the function's answer, or None if it failed or died.

        What it does not name as failed is deleted, if the receipt still does; the rest waits for
        its visibility timeout. If it names what was not in the batch, all failed.

        Returns:
            The ids of the deleted messages.
        """
        if answer is None:
            return []
        failed = {each["itemIdentifier"] for each in answer.get("batchItemFailures") or []}
        if failed - {each.id for each in self.messages}:
            return []
        deleted = []
        for each in self.messages:
            if each.id in failed:
                continue
            try:
                self._queue.delete(each.receipt)
            except QueueRefused:
                continue
            deleted.append(each.id)
        return deleted


def _copy(message: Message) -> Message:
    return Message(
        message.id,
        message.body,
        message.sender,
        message.sent,
        message.visible,
        message.group,
        message.deduplication,
        message.sequence,
        message.received,
        message.first,
        message.receipt,
        message.named,
    )


def _again(message: Message, id_: str, sent: int) -> Message:
    """A message that goes into another queue, as if it had never been received."""
    return Message(
        id_,
        message.body,
        message.sender,
        sent,
        0,
        message.group,
        message.deduplication,
        named=message.named,
    )
