"""Exactly once: which messages are still to be done, by how far each queue was read.

SQS gives each message of a FIFO group a SequenceNumber that grows, and keeps it when it delivers
the message again. So whatever stands at or below a queue's mark was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from blockfold.domain.action import Message
from blockfold.domain.block import Mark

REPLACED_AFTER = 60_000
"""Milliseconds: a message below the mark but sent this much later than the marked one can only
come from a queue that was deleted and created again under the same name."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """Messages told apart by the marks.

    Attributes:
        todo: Messages with something left to do, in order, each once.
        done: Messages that stand in blocks already.
        replaced: ARNs of queues that were created again.
    """

    todo: tuple[Message, ...]
    done: tuple[Message, ...]
    replaced: tuple[str, ...]


def sift(marks: Iterable[Mark], messages: Sequence[Message]) -> Sifted:
    """Tell the messages that are still to be done from those that are done.

    A message that comes twice in one delivery is in ``todo`` once, and in ``done`` only when a
    block holds it.
    """
    by_queue = {mark.queue: mark for mark in marks}
    todo: list[Message] = []
    done: list[Message] = []
    replaced: list[str] = []
    seen: set[tuple[str, str]] = set()
    for message in messages:
        if (message.queue, message.id) in seen:
            continue
        seen.add((message.queue, message.id))
        mark = by_queue.get(message.queue)
        if mark is None or int(message.sequence) > int(mark.sequence):
            todo.append(replace(message, first=0))
        elif message.sent > mark.sent + REPLACED_AFTER:
            todo.append(replace(message, first=0))
            replaced.append(message.queue)
            del by_queue[message.queue]
        elif int(message.sequence) == int(mark.sequence) and mark.next is not None:
            todo.append(replace(message, first=mark.next))
        else:
            done.append(message)
    return Sifted(tuple(todo), tuple(done), tuple(replaced))


def advance(marks: Iterable[Mark], message: Message, position: int | None) -> tuple[Mark, ...]:
    """The marks after a message was done up to a position, or wholly (None).

    The sent time of a mark only rises. Else a message before one that says it was sent long ago
    would look like one of a new queue, and be done again and again.
    """
    others: list[Mark] = []
    sent = message.sent
    for mark in marks:
        if mark.queue == message.queue:
            sent = max(sent, mark.sent)
        else:
            others.append(mark)
    done = Mark(queue=message.queue, sequence=message.sequence, sent=sent, next=position)
    return (*others, done)
