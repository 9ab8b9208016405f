"""Messages and the actions in them.

A message body is JSON: one action ``{"type": str, "args": {…}, "id"?: str}`` or an array of
them. Everything that a message holds becomes an `Action` or a `Malformed`, so that nothing
that was sent is ever lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec

from blockfold.domain.canonical import Canonical, decode, encode, normalise
from blockfold.domain.errors import InvalidAction, LimitExceeded

MAX_TYPE_CHARACTERS = 128
MAX_ID_CHARACTERS = 256

_FIELDS = frozenset(("type", "args", "id"))
_body_decoder = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Action:
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


@dataclass(frozen=True, slots=True)
class Malformed:
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
        first: Position of the first action that is still to be executed; above 0 only for
            the rest of a message that was split over blocks.
    """

    id: str
    body: str
    queue: str = "local"
    sequence: str = "1"
    sent: int = 0
    sender: str = ""
    first: int = 0


def parse(body: str) -> list[Action | Malformed]:
    """The actions of a message body, at least one, in order.

    A body that is no JSON, or an empty array, is one `Malformed`. Numbers that JSON does not
    know (NaN) only spoil the array element that they stand in.
    """
    try:
        content = _read(body)
    except (ValueError, RecursionError) as error:
        return [Malformed(_printable(body), f"the body is no JSON: {error}")]
    if not isinstance(content, list):
        return [_action(content, body)]
    if not content:
        return [Malformed(body, "the body is an empty array")]
    return [_action(element, None) for element in content]


def _read(body: str) -> object:
    try:
        return _body_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        # Slower and laxer: takes NaN and lone surrogates, which spoil only their element.
        return json.loads(body)


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
