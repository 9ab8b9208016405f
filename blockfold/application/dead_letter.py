"""What a dead letter has in blocks already, and in which messages the rest of it is sent again.

The log tells, not the counters: it is the truth, it names the block, and it forgets nothing.

What is sent must be recognised for ever, whoever sends it and however often. So each message that
comes of a letter has a name, a producer and a count, that depends on the letter alone:

- A producer's letter of which no block holds anything keeps its own name, and goes whole. Copies of
  it that the producer sent are recognised by that, and it by them.
- Of any other letter each action is a message of its own, named ``redrive-<MessageId>`` and the
  action's position + 1: whatever else was done meanwhile, and in whatever parts, the name of an
  action stays the same. One message for all would not do: blocks may hold a half of it when it
  ends as a dead letter again, and a half has no name.
- If the letter has a name, its last action bears that. With it in a block, the letter is done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from blockfold.application.push import MAX_MESSAGE_BYTES
from blockfold.application.travel import Traveller
from blockfold.domain.action import Action, Malformed
from blockfold.domain.block import Block, derived_id
from blockfold.ports import Letter

KEPT_MILLISECONDS = 14 * 24 * 3600 * 1000
"""The longest that SQS keeps a message: so long before it became a dead letter, at most, was it
sent. A dead letter of a FIFO queue begins its time anew, and what `Letter.sent` is then, SQS does
not say:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html"""

ENVELOPE_BYTES = 1024
"""What is kept of a message for its attributes."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,56}")
_UNTELLABLE = ("\ufffe", "\uffff")
"""Characters that SQS takes in no body, and JSON can escape."""

Standing = Literal["done", "partly done", "not begun"]


@dataclass(frozen=True, slots=True)
class Part:
    """A message to send.

    Attributes:
        producer: In whose name.
        count: That producer's number for it.
        body: Its actions; empty if the letter is sent as it is.
        spoiled: Why it is to be recorded as malformed, unread; empty if it is not.
    """

    producer: str
    count: int
    body: str = ""
    spoiled: str = ""

    def token(self, letter: Letter) -> str:
        """The same for whoever sends this part of this letter, and no other's."""
        key = f"{letter.machine}\n{letter.message.id}\n{self.producer}/{self.count}"
        return f"redrive-{sha256(key.encode()).hexdigest()[:48]}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a letter.

    Attributes:
        standing: How much of it stands in blocks.
        actions: How many actions it has.
        held: How many of them stand in blocks.
        blocks: The first and the last block that hold some; None if none does.
        parts: What is to be sent, in order, before it is deleted.
    """

    standing: Standing
    actions: int
    held: int
    blocks: tuple[int, int] | None
    parts: tuple[Part, ...]


class Searched:
    """Which messages the newest blocks of a machine hold; each block is read once.

    Takes some 300 bytes for each message of the time that is searched.

    Args:
        traveller: Reads blocks, archived ones included.
        machine: The machine's id.
        progress: Called for each block that is read.
    """

    def __init__(
        self, traveller: Traveller, machine: str, progress: Callable[[], None] = lambda: None
    ) -> None:
        self._traveller = traveller
        self._machine = machine
        self._progress = progress
        self._low = 1
        self._high = 0
        self._since: int | None = None
        self._done: dict[str, tuple[int, int, int]] = {}
        self._named: dict[tuple[str, int], int] = {}

    def look(self, head: int, since: int) -> None:
        """Know all blocks up to a head whose time is at or after a moment.

        Args:
            head: The number of the newest block.
            since: Milliseconds since 1970 UTC.

        Raises:
            Corrupted: The log lacks one of them.
        """
        if self._since is None:
            self._low = head + 1
        else:
            self._read(self._high + 1, head)
        self._high = head
        if self._since is None or since < self._since:
            for block in self._traveller.newest_first(self._machine, 1, self._low - 1):
                # No block is older than one before it: none below holds what was sent since.
                if block.header.time < since:
                    break
                self._note(block)
                self._low = block.number
            self._since = since

    def part_of(self, message: str) -> tuple[int, int, int]:
        """How many actions of a message stand in blocks, and the first and last of these; zeros."""
        return self._done.get(message, (0, 0, 0))

    def block_of(self, producer: str, count: int) -> int | None:
        """The block that holds a producer's message, or None."""
        return self._named.get((producer, count))

    def _read(self, first: int, last: int) -> None:
        for block in self._traveller.newest_first(self._machine, first, last):
            self._note(block)

    def _note(self, block: Block) -> None:
        self._progress()
        number = block.number
        for record in block.body.messages:
            upto, first, last = self._done.get(record.id, (0, number, number))
            upto = max(upto, record.first + len(record.actions))
            self._done[record.id] = upto, min(first, number), max(last, number)
            if record.producer:
                self._named[record.producer, record.count] = number


def own_name(message: str) -> str:
    """The producer in whose name the actions of a message are sent, by its MessageId."""
    if not _NAME.fullmatch(message):
        message = sha256(message.encode()).hexdigest()[:32]
    return f"redrive-{message}"


def oldest_of(letter: Letter) -> int:
    """No block before that moment holds anything of a letter; milliseconds since 1970 UTC."""
    return letter.message.sent - KEPT_MILLISECONDS


def plan_of(letter: Letter, searched: Searched) -> Plan:
    """What is to be done with a letter, by what blocks hold."""
    message = letter.message
    asked = message.asked
    total = len(asked)
    begun, first, last = searched.part_of(message.id)
    whole = searched.block_of(message.producer, message.count) if message.producer else None
    if begun >= total:
        return Plan("done", total, total, (first, last), ())
    if whole is not None:  # a copy of it, which its producer sent
        return Plan("done", total, total, (whole, whole), ())
    if message.producer and not begun:
        return Plan("not begun", total, 0, None, (Part(message.producer, message.count),))
    parts: list[Part] = []
    touched = [first, last] if begun else []
    for position in range(begun, total):
        part = _part(letter, asked, position)
        number = searched.block_of(part.producer, part.count)
        if number is None:
            parts.append(part)
        else:
            touched.append(number)
    held = total - len(parts)
    standing: Standing = "partly done" if held else "not begun"
    span = (min(touched), max(touched)) if touched else None
    return Plan("done" if not parts else standing, total, held, span, tuple(parts))


def _part(letter: Letter, asked: Sequence[Action | Malformed], position: int) -> Part:
    """The message for one action of a letter."""
    message = letter.message
    name, count = own_name(message.id), position + 1
    if message.producer and count == len(asked):
        name, count = message.producer, message.count
    if message.spoiled:
        return Part(name, count, message.body, _plain(message.spoiled))
    return Part(name, count, _text(letter, asked, position))


def _text(letter: Letter, asked: Sequence[Action | Malformed], position: int) -> str:
    """One action's text. Whoever asks for its id finds it: it is what it would have been."""
    body, each = letter.message.body, asked[position]
    alone = len(asked) == 1
    if isinstance(each, Malformed):
        # In an array an element is judged by itself; outside, an array would be many.
        return body if alone else f"[{each.raw}]"
    if each.id is None:
        text = _json(each, derived_id(letter.message.id, position))
        if len(text.encode()) <= MAX_MESSAGE_BYTES - ENVELOPE_BYTES:
            return text
    return body if alone else _json(each, each.id)


def _json(action: Action, id_: str | None) -> str:
    named = "" if id_ is None else f',"id":{json.dumps(id_)}'
    text = f'{{"args":{action.args.decode()}{named},"type":{json.dumps(action.type)}}}'
    for character in _UNTELLABLE:
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _plain(reason: str) -> str:
    """A reason as an attribute can say it, and an executor repeats it."""
    return reason.encode("ascii", "backslashreplace").decode()[:60]
