"""A producer's surroundings: a simulated queue whose calls fail as they are told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, cast

from blockfold.adapters.envelope import unseal
from blockfold.adapters.manual_clock import ManualClock
from blockfold.adapters.outgoing import Outgoing
from blockfold.adapters.sqs import SqsQueue
from blockfold.domain.action import Message
from blockfold.domain.errors import BlockfoldError, Refused
from blockfold.ports import Receipt
from tests.simulation.services import Call, Cloud, PartFailed, SimClients
from tests.simulation.services import queues as simulated
from tests.simulation.services.faults import refusal, throttled, timed_out

T = TypeVar("T")

FINE, THROTTLED, LOST, PART, PART_LOST, DENIED, GONE, INVALID = range(8)
"""What may happen to a request: nothing; refused as one too many; taken, and the answer lost; its
second entry refused; its second entry taken and called failed; no permission; no queue; its second
entry refused for good."""

PASSING = (FINE, THROTTLED, LOST, PART, PART_LOST)


@dataclass
class Weather:
    """A hook: the faults of the coming requests, in order. One request happens at a time.

    Attributes:
        coming: The faults.
        always: What happens when none is left.
        sent: Requests so far.
        batches: How many messages each of them had.
    """

    coming: Iterator[int] = field(default_factory=lambda: iter(()))
    always: int = FINE
    sent: int = 0
    batches: list[int] = field(default_factory=list)
    _now: int = FINE
    _lock: Lock = field(default_factory=Lock)

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        with self._lock:
            return self._around(call, effect)

    def _around(self, call: Call, effect: Callable[[], T]) -> T:
        self.sent += 1
        self.batches.append(len(call.params.get("Entries", ())))
        self._now = next(self.coming, self.always)
        if self._now == THROTTLED:
            raise throttled(call)
        if self._now == DENIED:
            raise refusal(call.operation, "AccessDenied", "no identity-based policy allows", 403)
        if self._now == GONE:
            raise refusal(call.operation, "AWS.SimpleQueueService.NonExistentQueue", "no queue")
        answer = effect()
        if self._now == LOST:
            raise timed_out()
        return answer

    def part(self, call: Call, index: int, do: Callable[[], T]) -> T:
        if index != len(call.params["Entries"]) // 2:
            return do()
        if self._now == PART:
            raise PartFailed("InternalError")
        if self._now == PART_LOST:
            do()
            raise PartFailed("InternalError")
        if self._now == INVALID:
            raise simulated.QueueRefused("InvalidMessageContents", "a character")
        return do()


class Supply:
    """A queue, and what came into it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cloud = Cloud(clock=self.clock)
        self.weather = Weather()
        client: Any = SimClients(self.cloud, self.weather).sqs
        self.queue = SqsQueue(client, self.cloud.actions.url)

    def foresee(self, *faults: int, always: int = FINE) -> None:
        """Let these happen to the coming requests."""
        self.weather.coming, self.weather.always = iter(faults), always

    @property
    def messages(self) -> list[Message]:
        """All that the queue took, as the executor gets it, in order."""
        return [self._message(each) for each in self.cloud.actions.accepted]

    @property
    def machines(self) -> dict[str, list[Message]]:
        """The same by machine."""
        found: dict[str, list[Message]] = {}
        for raw, message in zip(self.cloud.actions.accepted, self.messages, strict=True):
            found.setdefault(raw.group, []).append(message)
        return found

    def _message(self, raw: simulated.Message) -> Message:
        opened = unseal(raw.body, raw.named)
        return Message(
            id=raw.id,
            body=opened.body,
            queue=self.cloud.actions.arn,
            sequence=raw.sequence,
            sent=raw.sent,
            sender=raw.sender,
            producer=opened.producer,
            count=opened.count,
            spoiled=opened.spoiled,
        )


class Picky:
    """A queue that takes no messages for some machines."""

    def __init__(self, queue: SqsQueue, *bad: str) -> None:
        self.bad = {*bad}
        self._queue = queue

    def send_batch(self, messages: Sequence[Outgoing]) -> list[Receipt | BlockfoldError]:
        good = [each for each in messages if each.machine not in self.bad]
        answers = iter(self._queue.send_batch(good) if good else [])
        return [
            Refused("not for this one") if each.machine in self.bad else next(answers)
            for each in messages
        ]


def actions_in(message: Message) -> list[dict[str, Any]]:
    """The actions of a message."""
    body = json.loads(message.body)
    return cast("list[dict[str, Any]]", body if isinstance(body, list) else [body])


def once(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The actions of a machine's messages in order, each message of a producer once."""
    known: set[tuple[str, int]] = set()
    actions: list[dict[str, Any]] = []
    for message in messages:
        assert message.count, "it has a producer"
        if (message.producer, message.count) not in known:
            known.add((message.producer, message.count))
            actions.extend(actions_in(message))
    return actions
