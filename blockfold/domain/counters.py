"""Exactly once, for ever: which messages of an idempotent producer stand in blocks.

SQS drops a message that is sent again, under the same MessageDeduplicationId, for five minutes.
After that it comes as a new message, under a new number, which the queue's marks cannot know. But
an idempotent producer counts its messages to each machine (1, 2, 3 …), says so with each, and
never sends one before the one below it was taken. The records of messages in blocks keep producer
and count; a counter is what they add up to, so it can always be made again from the log.

Counters stand in the State table, beside a machine's rows and not among them: they are no part of
its state, and no restore takes them back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical, encode_raw
from blockfold.domain.errors import Corrupted

MOST_GAPS = 100
"""Gaps that a counter tells apart: some 2 KB. Each stands for messages that were never executed."""


class Counter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a machine has of a producer's messages.

    Attributes:
        last: The highest count that stands in a block; 0 before the first.
        missing: Those below it that stand in none, as (first, last) in order: they went to the
            dead-letter queue or were deleted. They are executed if they still come.
    """

    last: int = 0
    missing: tuple[tuple[int, int], ...] = ()

    def holds(self, count: int) -> bool:
        """Whether a message stands in a block."""
        if count > self.last:
            return False
        return not any(first <= count <= last for first, last in self.missing)

    def after(self, count: int) -> Counter:
        """The counter once a message stands in a block; the same if it did before.

        With more gaps than `MOST_GAPS`, the two oldest become one: what stands between them is
        taken for missing then. That only counts for messages so old that a producer cannot send
        them any more; a person may, from a dead-letter queue.
        """
        if count > self.last:
            gap = ((self.last + 1, count - 1),) if count > self.last + 1 else ()
            return Counter(count, _bounded(self.missing + gap))
        if self.holds(count):
            return self
        found: list[tuple[int, int]] = []
        for first, last in self.missing:
            if first <= count <= last:
                parts = ((first, count - 1), (count + 1, last))
                found += (part for part in parts if part[0] <= part[1])
            else:
                found.append((first, last))
        return Counter(self.last, _bounded(tuple(found)))

    def after_all(self, counts: Iterable[int]) -> Counter:
        """The counter once several stand in blocks, in this order."""
        counter = self
        for count in counts:
            counter = counter.after(count)
        return counter

    def gap_before(self, count: int) -> tuple[int, int] | None:
        """What would be missing for the first time if this message came next; None if nothing."""
        return (self.last + 1, count - 1) if count > self.last + 1 else None

    def encoded(self) -> Canonical:
        """The value of its row in the State table."""
        return encode_raw(self)

    @classmethod
    def decoded(cls, value: Canonical | None) -> Counter:
        """The counter behind a row's value.

        Raises:
            Corrupted: There is none.
        """
        try:
            return _decoder.decode(value or b"")
        except msgspec.MsgspecError as error:
            raise Corrupted(
                f"a row is no producer's counter: {error}",
                hint="`blockfold rebuild` of the machine puts it back from the log",
            ) from error


NONE = Counter()
"""The counter of a producer of which nothing was executed."""

_decoder = msgspec.json.Decoder(Counter)


def counts_in(block: Block) -> dict[str, list[int]]:
    """The messages of idempotent producers that end in a block: producer → counts, in order."""
    counts: dict[str, list[int]] = {}
    for message in block.body.messages:
        if message.producer:
            counts.setdefault(message.producer, []).append(message.count)
    return counts


def _bounded(missing: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    while len(missing) > MOST_GAPS:
        missing = ((missing[0][0], missing[1][1]), *missing[2:])
    return missing
