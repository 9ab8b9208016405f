"""A message under way: actions packed together once, and never packed otherwise again."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256

from blockfold.adapters import envelope
from blockfold.adapters.outgoing import REQUEST_BYTES, Outgoing
from blockfold.application.outcomes import ActionOutcome
from blockfold.domain.action import MAX_ID_CHARACTERS, MAX_TYPE_CHARACTERS, Action
from blockfold.domain.canonical import encode_raw, normalise
from blockfold.domain.errors import InvalidAction, LimitExceeded
from blockfold.ports import Receipt

ATTRIBUTE_BYTES = 512
"""More than what the attributes of a message take."""

_UNTELLABLE = ((b"\xef\xbf\xbe", rb"\ufffe"), (b"\xef\xbf\xbf", rb"\uffff"))
"""Characters that SQS does not carry and JSON can escape."""


class Parcel:
    """Actions of one machine in one message, with the number that makes it safe to repeat.

    Open, it takes actions; closed, its contents are fixed; sealed, it has the bytes that every try
    sends; acknowledged, only its outcomes are still of interest.

    Attributes:
        machine: The machine's id.
        producer: The producer's id.
        count: The producer's number for this message of the machine: 1, 2, 3 …
        due: When it is to be sent at the latest, full or not; seconds as `Clock.monotonic` has it.
        actions: How many actions are in it.
        size: Bytes of their JSON as an array.
        open: Whether more actions may come in.
        receipt: What the queue answered; None before it did.
        outcomes: What became of the actions, in order; None before they were found in blocks.
    """

    __slots__ = (
        "__weakref__", "_outgoing", "_texts", "actions", "count", "due", "machine", "open",
        "outcomes", "producer", "receipt", "size",
    )  # fmt: skip

    def __init__(self, machine: str, producer: str, count: int, due: float) -> None:
        self.machine = machine
        self.producer = producer
        self.count = count
        self.due = due
        self.actions = 0
        self.size = 1
        self.open = True
        self.receipt: Receipt | None = None
        self.outcomes: list[ActionOutcome] | None = None
        self._texts: list[bytes] = []
        self._outgoing: Outgoing | None = None

    def add(self, text: bytes) -> int:
        """Put an action in; its position."""
        assert self.open, "a closed parcel stays as it is"
        self._texts.append(text)
        self.size += len(text) + 1
        self.actions += 1
        return self.actions - 1

    @property
    def outgoing(self) -> Outgoing:
        """The message as every try sends it; made at the first."""
        if self._outgoing is None:
            self.open = False
            body, attributes = envelope.seal(body_of(self._texts))
            attributes.update(envelope.named(self.producer, self.count))
            deduplication = deduplication_id(self.producer, self.machine, self.count)
            self._outgoing = Outgoing(self.machine, body, deduplication, attributes)
            self._texts = []
        return self._outgoing

    def acknowledge(self, receipt: Receipt) -> int:
        """The queue has it; how many bytes it took."""
        sent = self.outgoing.size
        self.receipt, self._outgoing = receipt, None
        return sent


class Ticket:
    """An action that a producer took.

    Attributes:
        position: Its position in its message, from 0.
    """

    __slots__ = ("_parcel", "position")

    def __init__(self, parcel: Parcel, position: int) -> None:
        self._parcel = parcel
        self.position = position

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self._parcel.machine

    @property
    def count(self) -> int:
        """The producer's number for its message to that machine, from 1."""
        return self._parcel.count

    @property
    def receipt(self) -> Receipt | None:
        """What SQS answered for its message; None if it has not acknowledged it."""
        return self._parcel.receipt


def deduplication_id(producer: str, machine: str, count: int) -> str:
    """The deduplication id of a message: the same for each try, no other's in the whole queue.

    A queue may deduplicate over all of its groups, so the machine is in it: by 16 bytes of its
    SHA-256, because both together may be longer than the 128 characters that SQS takes.
    """
    digest = urlsafe_b64encode(sha256(machine.encode()).digest()[:16]).decode().rstrip("=")
    return f"{producer}.{count}.{digest}"


def text_of(action: Action) -> bytes:
    """An action's JSON as it stands in a message.

    Raises:
        InvalidAction: Its type or id is none.
        LimitExceeded: It has more bytes than any message holds.
    """
    named = b""
    if action.id is not None:
        named = b',"id":' + _name(action.id, "id", MAX_ID_CHARACTERS)
    type_ = _name(action.type, "type", MAX_TYPE_CHARACTERS)
    text = b'{"args":' + action.args + named + b',"type":' + type_ + b"}"
    if b"\xef\xbf" in text:
        for character, escape in _UNTELLABLE:
            text = text.replace(character, escape)
    if len(text) > REQUEST_BYTES - ATTRIBUTE_BYTES:
        _check_size(action, text)
    return text


def body_of(texts: list[bytes]) -> str:
    """A message's body: one action by itself, or an array."""
    return (texts[0] if len(texts) == 1 else b"[" + b",".join(texts) + b"]").decode()


def _name(text: object, field: str, longest: int) -> bytes:
    if not isinstance(text, str):
        raise InvalidAction(f"an action's {field} is a string, not {type(text).__name__}")
    if not 1 <= len(text) <= longest:
        raise InvalidAction(f"an action's {field} has 1 to {longest} characters")
    if not text.isascii():
        normalise(text)  # refuses what is no UTF-8
    return encode_raw(text)


def _check_size(action: Action, text: bytes) -> None:
    """Hold a large action to what one message takes, compressed, and to what is unpacked."""
    sent, _ = envelope.seal(text.decode())
    if len(text) > envelope.MAX_UNPACKED_BYTES or len(sent) > REQUEST_BYTES - ATTRIBUTE_BYTES:
        raise LimitExceeded(
            f"the action {action.type!r} has {len(text):,} bytes, {len(sent):,} as they would be "
            f"sent: a message has {REQUEST_BYTES - ATTRIBUTE_BYTES:,} at most, and "
            f"{envelope.MAX_UNPACKED_BYTES:,} unpacked",
            hint="split it into several actions, or put the data into S3 and send its name",
        )
