"""A channel within a process: what is written is read, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition
from uuid import uuid4

from blockfold.adapters.system import SystemClock
from blockfold.domain.action import Message
from blockfold.domain.block import Mark
from blockfold.ports import Clock


def _new_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message that nobody has read yet: it has no sequence number before that."""

    id: str
    body: str
    sent: int
    sender: str


class MemoryChannel:
    """A reader and writer in memory; what nobody read is gone with the process.

    Messages are numbered when they are first read, after what the machine's blocks have read of
    a channel of this name: a new process goes on where the last one was.

    Args:
        sender: Who writes, unless `send` says otherwise.
        name: The queue's name in blocks.
        new_id: Makes the ids of messages.
        clock: Tells when messages were sent; the clock of whoever reads if None.

    Attributes:
        sender: See above.
        consumes: False: it was never durable.
    """

    consumes = False

    def __init__(
        self,
        sender: str = "",
        *,
        name: str = "memory",
        new_id: Callable[[], str] = _new_id,
        clock: Clock | None = None,
    ) -> None:
        self.sender = sender
        self._name = name
        self._new_id = new_id
        self._own_clock = clock
        self._clock: Clock = clock or SystemClock()
        self._waiting: deque[_Waiting] = deque()
        self._unacknowledged: dict[str, Message] = {}
        self._again: deque[Message] = deque()
        self._last = 0
        self._changed = Condition()

    def begin(self, marks: Sequence[Mark], clock: Clock) -> None:
        """See `Begins.begin`. What was read and not acknowledged comes again."""
        with self._changed:
            self._clock = self._own_clock or clock
            self._again = deque(self._unacknowledged.values())
            for mark in marks:
                if mark.queue == self._name:
                    self._last = max(self._last, int(mark.sequence))

    def write(self, body: str) -> str:
        """See `Writer.write`."""
        return self.send(body)

    def send(self, body: str, sender: str | None = None) -> str:
        """Like `write`, in the name of someone else."""
        with self._changed:
            who = self.sender if sender is None else sender
            waiting = _Waiting(self._new_id(), body, self._clock.now(), who)
            self._waiting.append(waiting)
            self._changed.notify_all()
        return waiting.id

    def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
        """See `Reader.read`."""
        with self._changed:
            if wait > 0 and not self._waiting and not self._again:
                self._changed.wait(wait)
            found: list[Message] = []
            while self._again and len(found) < most:
                found.append(self._again.popleft())
            while self._waiting and len(found) < most:
                found.append(self._numbered(self._waiting.popleft()))
            return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """See `Reader.acknowledge`."""
        with self._changed:
            for message in messages:
                self._unacknowledged.pop(message.id, None)

    def release(self, messages: Sequence[Message]) -> None:
        """See `Reader.release`."""
        with self._changed:
            self._again.extendleft(reversed(messages))
            self._changed.notify_all()

    def _numbered(self, waiting: _Waiting) -> Message:
        self._last += 1
        message = Message(
            id=waiting.id,
            body=waiting.body,
            queue=self._name,
            sequence=str(self._last),
            sent=waiting.sent,
            sender=waiting.sender,
        )
        self._unacknowledged[message.id] = message
        return message
