"""Messages and the actions in them.

A message body is JSON: one action ``{"type": str, "args": {…}, "id"?: str}`` or an array of
them. Everything that a message holds becomes an `Action` or a `Malformed`, so that nothing
that was sent is ever lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from blockfold.domain.canonical import Canonical, decode, encode, normalise
from blockfold.domain.errors import InvalidAction, LimitExceeded

MAX_TYPE_CHARACTERS = 128
MAX_ID_CHARACTERS = 256

_FIELDS = frozenset(("type", "args", "id"))
_REFUSED_DIGITS = 1_000


class Action(msgspec.Struct, frozen=True, gc=False):
    """A request that a machine may apply or reject.

    Attributes:
        type: Name of the reducer.
        args: Its arguments, a JSON object, as canonical bytes.
        id: The sender's own name for it, if it gave one.
    """

    type: str
    args: Canonical
    id: str | None = None

    @classmethod
    def of(cls, type_: str, id_: str | None = None, /, **args: object) -> Action:
        """An action from keyword arguments: ``Action.of("plant", tree="t1", species="oak")``."""
        return cls(type_, encode(args), id_)

    def to_json(self) -> dict[str, object]:
        """The action as it stands in a message."""
        fields: dict[str, object] = {"type": self.type, "args": decode(self.args)}
        return fields if self.id is None else {**fields, "id": self.id}


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """Something in a message that is no action.

    Attributes:
        raw: Its text, as far as it could be told apart.
        reason: Why it is no action.
    """

    raw: str
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the queue delivered it.

    Attributes:
        id: The queue's MessageId.
        body: Its text.
        queue: ARN of the queue.
        sequence: SQS SequenceNumber: digits, growing within a queue and group.
        sent: When the queue accepted it, milliseconds since 1970 UTC.
        sender: The principal as the queue authenticated it.
        producer: Id of the idempotent producer that sent it; empty for any other sender.
        count: The producer's own number for it: 1, 2, 3 … for each machine; 0 without a producer.
        spoiled: Why its body could not be unpacked; empty if that could be done. Such a message
            is one `Malformed`.
        first: Position of the first action that is still to be executed; above 0 only for
            the rest of a message that was split over blocks.
    """

    id: str
    body: str
    queue: str = "local"
    sequence: str = "1"
    sent: int = 0
    sender: str = ""
    producer: str = ""
    count: int = 0
    spoiled: str = ""
    first: int = 0
    _parsed: tuple[str, Sequence[Action | Malformed]] | None = field(
        default=None, repr=False, compare=False, kw_only=True
    )

    @property
    def asked(self) -> Sequence[Action | Malformed]:
        """What the message holds, see `parse`.

        Parsed when first asked for, and kept with the message and the copies that
        `dataclasses.replace` makes from then on: a message that is split over many blocks is
        parsed once.
        """
        parsed = self._parsed
        if parsed is None or parsed[0] is not self.body:
            found: list[Action | Malformed]
            if self.spoiled:
                found = [Malformed(_printable(self.body), _printable(self.spoiled))]
            else:
                found = parse(self.body)
            parsed = (self.body, found)
            object.__setattr__(self, "_parsed", parsed)
        return parsed[1]


def parse(body: str) -> list[Action | Malformed]:
    """The actions of a message body, at least one, in order.

    A body that is no JSON, or an empty array, is one `Malformed`. Numbers and strings that JSON
    writes but a state cannot hold (NaN, 1e999, lone surrogates) only spoil the array element
    that they stand in. Of an object's repeated fields the last one counts.
    """
    if (actions := _well_formed(body)) is not None:
        return actions
    try:
        elements = _read(body)
    except (ValueError, RecursionError) as error:
        return [Malformed(_printable(body), f"the body is no JSON: {error}")]
    if not elements:
        return [Malformed(body, "the body is an empty array")]
    return [_action(element, text) for element, text in elements]


def _well_formed(body: str) -> list[Action | Malformed] | None:
    """The actions of a body without a flaw, which nearly all are; None: it is to be looked at."""
    try:
        content = _sent_decoder.decode(body)
        sent = content if isinstance(content, list) else [content]
        return [Action(each.type, encode(each.args), each.id or None) for each in sent] or None
    except (ValueError, RecursionError, LimitExceeded):
        return None


def _read(body: str) -> list[tuple[object, str | None]]:
    """What a body holds, each with its text where that is at hand."""
    try:
        content = _body_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        content = _lax_decoder.decode(body)
        if isinstance(content, list):
            return list(_split(body))
    if isinstance(content, list):
        return [(element, None) for element in content]
    return [(content, body)]


def _split(array: str) -> Iterator[tuple[object, str]]:
    """The elements of a JSON array that is known to be one, each with its own text."""
    start = _past_space(array, array.index("[") + 1)
    while array[start] != "]":
        element, end = _lax_decoder.raw_decode(array, start)
        yield element, array[start:end]
        start = _past_space(array, end)
        if array[start] == ",":
            start = _past_space(array, start + 1)


def _past_space(text: str, start: int) -> int:
    while text[start] in " \t\r\n":
        start += 1
    return start


def _lax_int(digits: str) -> int:
    """An integer; of one too long for Python, enough to be refused as too large."""
    return int(digits[:_REFUSED_DIGITS])


def _action(element: object, text: str | None) -> Action | Malformed:
    try:
        return _checked(element)
    except (InvalidAction, LimitExceeded) as error:
        return Malformed(json.dumps(element) if text is None else _printable(text), error.message)


def _checked(element: object) -> Action:
    if not isinstance(element, dict):
        raise InvalidAction(f"an action is an object, not {_json_name(element)}")
    if unknown := element.keys() - _FIELDS:
        raise InvalidAction(f"unknown field {min(unknown)!r}: an action has type, args and id")
    if "type" not in element:
        raise InvalidAction("the field 'type' is missing")
    return Action(
        _text(element["type"], "type", MAX_TYPE_CHARACTERS),
        _args(element.get("args", {})),
        None if "id" not in element else _text(element["id"], "id", MAX_ID_CHARACTERS),
    )


def _text(value: object, field: str, longest: int) -> str:
    if not isinstance(value, str):
        raise InvalidAction(f"the field {field!r} is a string, not {_json_name(value)}")
    if not 1 <= len(value) <= longest:
        raise InvalidAction(f"the field {field!r} has 1 to {longest} characters")
    normalise(value)
    return value


def _args(value: object) -> Canonical:
    if not isinstance(value, dict):
        raise InvalidAction(f"the field 'args' is an object, not {_json_name(value)}")
    try:
        return encode(value)
    except LimitExceeded as error:
        raise InvalidAction(f"the field 'args': {error.message}") from None


def _printable(text: str) -> str:
    """The text with lone surrogates escaped, so that it has bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _json_name(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


class _Sent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An action as it stands in a message."""

    type: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TYPE_CHARACTERS)]
    args: dict[str, Any] = {}
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARACTERS)] = ""


_sent_decoder = msgspec.json.Decoder(_Sent | list[_Sent])
_body_decoder = msgspec.json.Decoder()

_lax_decoder = json.JSONDecoder(parse_int=_lax_int)
"""Slower than msgspec's; takes NaN, numbers of any size and lone surrogates."""
