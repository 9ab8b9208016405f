"""Blocks: numbered, hash-chained, and complete enough to rebuild everything else from.

A block is a `Header` and a `Body`. The body holds the messages with their actions and outcomes,
the net changes, and the queue marks. The header holds the body's SHA-256 and the parent's hash;
the block's hash is the SHA-256 of the header. Both are hashed as canonical JSON, so the exact
preimages are what `encode_raw` gives for the two structs (``docs/block-format.md``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Literal, get_args

import msgspec

from blockfold.domain import digest
from blockfold.domain.action import Action, Malformed
from blockfold.domain.canonical import Canonical, encode_raw
from blockfold.domain.context import Event
from blockfold.domain.errors import Corrupted
from blockfold.domain.manifest import Origin
from blockfold.domain.state import Changes

FORMAT = 1
"""Version of the block format."""

NO_HASH = "0" * 64
"""Parent of block 1."""

Outcome = Literal["applied", "rejected", "failed", "malformed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class ActionRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One action and what became of it.

    Attributes:
        type: The action's type; None if it was malformed beyond recognition.
        args: Its arguments, a JSON object.
        id: The sender's id for it, if it gave one.
        outcome: See `Outcome`.
        reason: Why it was not applied.
        raw: The text of something that was no action.
        environment: The outcome came from time or memory running out, not from the reducer:
            a re-execution takes it over instead of repeating it.
    """

    type: str | None = None
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None
    outcome: Outcome = "applied"
    reason: str | None = None
    raw: str | None = None
    environment: bool = False

    @property
    def asked(self) -> Action | Malformed:
        """What the sender asked for."""
        if self.type is None:
            return Malformed(self.raw or "", self.reason or "")
        return Action(self.type, bytes(self.args), self.id)


class MessageRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message's actions in a block.

    Attributes:
        id: The queue's MessageId.
        sender: The principal as the queue authenticated it.
        time: Milliseconds since 1970 UTC; never before the previous message's.
        actions: The actions, in order.
        first: Position in the message of the first of them; above 0 in a message that was
            split over blocks.
        producer: Id of the idempotent producer that sent it; empty for any other sender, and in
            all but the last block of a message that was split.
        count: The producer's own number for the message, from 1 for each machine; 0 where
            ``producer`` is empty.
    """

    id: str
    time: int
    actions: tuple[ActionRecord, ...]
    sender: str = ""
    first: int = 0
    producer: str = ""
    count: int = 0

    def action_id(self, index: int) -> str:
        """The id of the action at an index: the sender's, or derived from the message's."""
        return self.actions[index].id or derived_id(self.id, self.first + index)


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How far a queue was read: all at or below was done.

    Attributes:
        queue: ARN of the queue.
        sequence: The highest SequenceNumber done, as digits.
        sent: When the queue accepted that message or, if later, one before it; milliseconds since
            1970 UTC.
        next: Position of the first action of that message that is still to be done; None if
            the message is done.
    """

    queue: str
    sequence: str
    sent: int
    next: int | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened in a block.

    Attributes:
        messages: The messages folded, in order.
        set: Net writes: key → new value.
        deleted: Keys that the block deleted, in order.
        events: Domain events that reducers emitted, in order.
        marks: How far each queue was read, after this block.
        origin: Where the whole state comes from, in a restore or fork block; such a block has
            no messages, and instead of changes it says: state := that manifest.
    """

    messages: tuple[MessageRecord, ...] = ()
    set: dict[str, msgspec.Raw] = {}
    deleted: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    marks: tuple[Mark, ...] = ()
    origin: Origin | None = None

    @property
    def changes(self) -> Changes:
        """Net writes: key → value as canonical bytes, or None for deleted."""
        changes: Changes = {key: bytes(value) for key, value in self.set.items()}
        changes.update(dict.fromkeys(self.deleted))
        return changes

    @property
    def actions(self) -> Iterator[tuple[MessageRecord, int, ActionRecord]]:
        """Each action with its message and its index in it, in order."""
        return (
            (message, index, record)
            for message in self.messages
            for index, record in enumerate(message.actions)
        )

    @property
    def outcomes(self) -> tuple[int, int, int, int]:
        """How many actions ended as each of `OUTCOMES`."""
        ends = [record.outcome for message in self.messages for record in message.actions]
        applied, rejected, failed, malformed = (ends.count(outcome) for outcome in OUTCOMES)
        return applied, rejected, failed, malformed


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a block's hash covers.

    Attributes:
        machine: The machine's id.
        number: The block's height, from 1.
        epoch: Raised by every rebuild of the tables.
        parent: Hash of the block before; `NO_HASH` for the first.
        body: SHA-256 of the body.
        digest: State digest after this block.
        ordinal: Actions that the machine had before this block.
        outcomes: How many actions ended as each of `OUTCOMES`.
        changes: How many keys the block set or deleted.
        keys: How many keys the state has after it.
        time: The newest action's time, milliseconds since 1970 UTC.
        code: Name and version of the machine class that made it.
        format: `FORMAT`.
    """

    machine: str
    number: int
    epoch: int
    parent: str
    body: str
    digest: str
    ordinal: int
    outcomes: tuple[int, int, int, int]
    changes: int
    keys: int
    time: int
    code: str
    format: int = FORMAT


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the next block builds on.

    Attributes:
        machine: The machine's id.
        number: Height of the newest block; 0 before the first.
        hash: Its hash.
        total: The state's sum after it (`blockfold.domain.digest`).
        keys: How many keys the state has after it.
        ordinal: Actions that the machine had so far.
        time: Its time, milliseconds since 1970 UTC.
        epoch: Raised by every rebuild.
        marks: How far each queue was read.
    """

    machine: str
    number: int = 0
    hash: str = NO_HASH
    total: int = digest.EMPTY
    keys: int = 0
    ordinal: int = 0
    time: int = 0
    epoch: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def digest(self) -> str:
        """The state digest at this block."""
        return digest.digest_of(self.total)


@dataclass(frozen=True)
class Block:
    """A block with its body's exact bytes.

    Attributes:
        header: What the hash covers.
        payload: The body as canonical bytes.
        total: The state's sum after it.
    """

    header: Header
    payload: Canonical = field(repr=False)
    total: int = field(repr=False)

    @classmethod
    def of(cls, header: Header, body: Body, payload: Canonical, total: int) -> Block:
        """A block whose body is at hand already."""
        block = cls(header, payload, total)
        block.__dict__["body"] = body  # primes the cached property
        return block

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self.header.machine

    @property
    def number(self) -> int:
        """The block's height."""
        return self.header.number

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the canonical header: 64 hex digits."""
        return sha256(encode_raw(self.header)).hexdigest()

    @cached_property
    def body(self) -> Body:
        """The body, decoded.

        Raises:
            Corrupted: The payload is no body.
        """
        try:
            return _body_decoder.decode(self.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Corrupted(
                f"the body of block {self.number} of machine {self.machine!r} "
                f"is unreadable: {error}"
            ) from error

    @property
    def actions(self) -> int:
        """How many actions it holds, whatever their outcome."""
        return sum(self.header.outcomes)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many actions ended in which way."""
        return dict(zip(OUTCOMES, self.header.outcomes, strict=True))

    @property
    def head(self) -> Head:
        """What the next block builds on."""
        return Head(
            machine=self.machine,
            number=self.number,
            hash=self.hash,
            total=self.total,
            keys=self.header.keys,
            ordinal=self.header.ordinal + self.actions,
            time=self.header.time,
            epoch=self.header.epoch,
            marks=self.body.marks,
        )


def derived_id(message: str, position: int) -> str:
    """The id of an action whose sender gave none: ``<MessageId>/<position in the message>``."""
    return f"{message}/{position}"


def payload_hash(payload: Canonical) -> str:
    """SHA-256 of a body: 64 hex digits."""
    return sha256(payload).hexdigest()


_body_decoder = msgspec.json.Decoder(Body)
