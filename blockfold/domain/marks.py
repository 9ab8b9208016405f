"""Exactly once: which messages are still to be done, by how far each queue was read.

SQS gives each message of a FIFO group a SequenceNumber that grows, and keeps it when it delivers
the message again. So whatever stands at or below a queue's mark was done. A message that was sent
again after SQS forgot it has a new number: its producer's `Counter` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from blockfold.domain.action import Message
from blockfold.domain.block import Mark
from blockfold.domain.counters import NONE, Counter

REPLACED_AFTER = 60_000
"""Milliseconds: a message below the mark but sent this much later than the marked one can only
come from a queue that was deleted and created again under the same name."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """Messages told apart by marks and counters.

    Attributes:
        todo: Messages with something left to do, in order, each once.
        left: The same and, in their places, copies of them that their producers sent again. When
            the message stands in a block, its copies are done; until then, the queue keeps them.
        done: Messages that stand in blocks already.
        replaced: ARNs of queues that were created again.
    """

    todo: tuple[Message, ...]
    left: tuple[Message, ...]
    done: tuple[Message, ...]
    replaced: tuple[str, ...]


def sift(
    marks: Iterable[Mark],
    messages: Sequence[Message],
    counters: Mapping[str, Counter] | None = None,
) -> Sifted:
    """Tell the messages that are still to be done from those that are done.

    A message that comes twice in one delivery is in ``todo`` once, and in ``done`` only when a
    block holds it.

    Args:
        marks: How far each queue was read.
        messages: The messages, in the queue's order.
        counters: By producer; whoever is missing has nothing in blocks.
    """
    by_queue = {mark.queue: mark for mark in marks}
    counters = counters or {}
    todo: list[Message] = []
    left: list[Message] = []
    done: list[Message] = []
    replaced: list[str] = []
    seen: set[tuple[str, str]] = set()
    begun: set[tuple[str, int]] = set()
    for message in messages:
        if (message.queue, message.id) in seen:
            continue
        seen.add((message.queue, message.id))
        mark = by_queue.get(message.queue)
        first = 0
        if mark is not None and int(message.sequence) <= int(mark.sequence):
            if message.sent > mark.sent + REPLACED_AFTER:
                replaced.append(message.queue)
                del by_queue[message.queue]
            elif int(message.sequence) == int(mark.sequence) and mark.next is not None:
                first = mark.next
            else:
                done.append(message)
                continue
        if message.producer and counters.get(message.producer, NONE).holds(message.count):
            done.append(message)
            continue
        left.append(_from(message, first))
        if message.producer:
            if (message.producer, message.count) in begun:
                continue
            begun.add((message.producer, message.count))
        todo.append(left[-1])
    return Sifted(tuple(todo), tuple(left), tuple(done), tuple(replaced))


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


def _from(message: Message, first: int) -> Message:
    """The message from a position on."""
    return message if message.first == first else replace(message, first=first)
