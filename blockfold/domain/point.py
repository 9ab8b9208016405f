"""Points of a machine's past as people write them: a block, a time, or a snapshot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from blockfold.domain.errors import Misconfigured

FORMS = (
    "a block's number such as 12, a time such as 2026-01-31T12:00:00Z (RFC 3339), "
    "or a snapshot such as snapshot:12"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[0-9]{1,18}")
_SNAPSHOT = "snapshot:"


@dataclass(frozen=True, slots=True)
class AtBlock:
    """Right after a block; 0 is the empty state before the first."""

    number: int


@dataclass(frozen=True, slots=True)
class AtSnapshot:
    """Right after a block that has a snapshot."""

    number: int


@dataclass(frozen=True, slots=True)
class AtTime:
    """Right after the newest block at or before a time, milliseconds since 1970 UTC."""

    time: int


Point: TypeAlias = AtBlock | AtSnapshot | AtTime


def parse_point(text: str) -> Point:
    """The point that a text names.

    Raises:
        Misconfigured: It has none of the three forms.
    """
    if _NUMBER.fullmatch(text):
        return AtBlock(int(text))
    number = text.removeprefix(_SNAPSHOT)
    if number != text and _NUMBER.fullmatch(number):
        return AtSnapshot(int(number))
    if (time := parse_time(text)) is not None:
        return AtTime(time)
    raise Misconfigured(f"{text!r} names no block", hint=f"write {FORMS}")


def parse_time(text: str) -> int | None:
    """Milliseconds since 1970 UTC of an RFC 3339 time, rounded down; None if it is none."""
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - _EPOCH) // timedelta(milliseconds=1)
