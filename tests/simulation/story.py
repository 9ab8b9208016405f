"""What happened in a run, line by line; written down cheaply, put into words only if asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any

from tests.simulation.services import Call

SHORT = 110
"""Characters of what a call was given, or of what came of it."""


class Violation(Exception):
    """A law does not hold.

    Attributes:
        law: Which, and its name.
        what: What is not as it says.
    """

    def __init__(self, law: str, what: str) -> None:
        super().__init__(f"{law}: {what}")
        self.law = law
        self.what = what


@dataclass(slots=True)
class Story:
    """The lines so far: time, who, what, and things to be put into words."""

    lines: list[tuple[int, str, str, tuple[Any, ...]]] = field(default_factory=list)
    begins: int = 0

    def tell(self, now: int, who: str, what: str, *things: Any) -> None:
        """Write something down."""
        self.lines.append((now, who, what, things))

    def digest(self) -> str:
        """A hash of all of it: two runs of one plan have the same."""
        return sha256("\n".join(self.words()).encode()).hexdigest()

    def words(self) -> list[str]:
        """All lines, numbered, with seconds since the beginning."""
        return [
            f"{number:4} {(now - self.begins) / 1000:>11,.3f}s {who:<14} {what}"
            + "".join(f" {in_words(thing)}" for thing in things)
            for number, (now, who, what, things) in enumerate(self.lines, 1)
        ]


def in_words(thing: Any) -> str:
    """A thing in few words."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, Call):
        return f"{thing.client}.{thing.operation}({_cut(_params(thing.params))})"
    if isinstance(thing, BaseException):
        return f"-> {type(thing).__name__}: {_cut(str(thing))}"
    return f"-> {_cut(_value(thing))}"


def _params(params: Mapping[str, Any]) -> str:
    plain = ("TableName", "Bucket", "ConsistentRead", "QueueUrl", "ExpressionAttributeNames")
    return ", ".join(f"{key}={_value(value)}" for key, value in params.items() if key not in plain)


def _value(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if isinstance(value, BytesIO):
        return f"<{len(value.getvalue())} bytes>"
    if isinstance(value, Mapping):
        if len(value) == 1 and (kind := next(iter(value))) in {"S", "N", "BOOL", "L", "M", "B"}:
            return _value(value[kind])
        return "{" + ", ".join(f"{key}: {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
