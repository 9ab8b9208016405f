"""Parts of a key as text that sorts as the values do, and can be read back.

A key is a name and its parts, joined by ``#``: ``player#s1#ada``. Of the same type of record,
the order of the keys is the order of the tuples of values, so what belongs to the same first
parts stands together.

- Text stands for itself, but each character up to ``$`` (controls, space, ``! " # $``) is a ``$``
  and the character 64 places higher. So ``#`` is lower than whatever a part can hold, no part
  can imitate it, and shorter text sorts before longer.
- An integer is a letter for how many digits it has, and the digits: ``a7``, ``b42``, ``y`` for
  25; from 26 digits on ``z``, two digits that tell how many more than 26, and the digits. A
  negative one has the letter from the other end of the capitals and each digit taken from 9:
  -7 is ``Z2``, -42 is ``Y57``.
- A boolean is ``f`` or ``t``, a moment is UTC to the microsecond (``2026-01-31T12:00:00.000000Z``).
- A real number is the bits of its IEEE double, turned so that they sort: 16 hex digits.

Descending, a number or moment (in microseconds since 1970) is its negative, a boolean its opposite.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any, TypeAlias

SEPARATOR = "#"
MAX_DIGITS = 125

_ESCAPE = "$"
_SHIFT = 0x40
_TO_ESCAPE = re.compile(r"[\x00-$]")
_ESCAPED = re.compile(r"\$([\x40-d])")
_ONE_LETTER = 25
_TOO_LARGE = 10**MAX_DIGITS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_COMPLEMENT = str.maketrans("0123456789", "9876543210")

Part: TypeAlias = "str | int | bool | float | datetime"


def text_part(text: str) -> str:
    """A text as a part."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPE + chr(ord(found[0]) + _SHIFT), text)


def text_of(part: str) -> str:
    """The text of a part."""
    return _ESCAPED.sub(lambda found: chr(ord(found[1]) - _SHIFT), part)


def integer_part(value: int) -> str:
    """An integer as a part.

    Raises:
        ValueError: It has more than 125 digits.
    """
    if abs(value) >= _TOO_LARGE:
        raise ValueError(f"an integer in a key has at most {MAX_DIGITS} digits")
    digits = str(abs(value))
    extra = len(digits) - _ONE_LETTER - 1
    if value >= 0:
        return f"z{extra:02d}{digits}" if extra >= 0 else f"{chr(96 + len(digits))}{digits}"
    digits = digits.translate(_COMPLEMENT)
    return f"A{99 - extra:02d}{digits}" if extra >= 0 else f"{chr(91 - len(digits))}{digits}"


def integer_of(part: str) -> int:
    """The integer of a part.

    Raises:
        ValueError: It is none.
    """
    digits = part[3:] if part[:1] in ("z", "A") else part[1:]
    if not digits.isascii() or not digits.isdecimal():
        raise ValueError(f"{part!r} is no integer")
    return int(digits) if part[0] >= "a" else -int(digits.translate(_COMPLEMENT))


def boolean_of(part: str) -> bool:
    """The boolean of a part.

    Raises:
        ValueError: It is none.
    """
    return {"f": False, "t": True}[part] if part in ("f", "t") else _no(part, "boolean")


def moment_part(value: datetime) -> str:
    """A moment as a part.

    Raises:
        ValueError: It has no time zone.
    """
    if value.tzinfo is None:
        raise ValueError("a moment in a key has a time zone")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of(part: str) -> datetime:
    """The moment of a part, in UTC.

    Raises:
        ValueError: It is none.
    """
    return datetime.fromisoformat(part)


def real_part(value: float, *, descending: bool = False) -> str:
    """A real number as a part; -0 is 0.

    Raises:
        ValueError: It is not a number.
    """
    if isnan(value):
        raise ValueError("NaN has no place in an order")
    bits = int.from_bytes(struct.pack(">d", value + 0.0), "big")
    sorted_bits = bits ^ _ALL if bits & _SIGN else bits | _SIGN
    return f"{sorted_bits ^ _ALL if descending else sorted_bits:016x}"


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one type become parts of a key.

    Attributes:
        part: A value as a part.
        descending: The same, in the opposite order; None if there is no such.
        value: The value of a part; None if only an index may hold it.
    """

    part: Callable[[Any], str]
    descending: Callable[[Any], str] | None
    value: Callable[[str], Part] | None


TEXT = Kind(text_part, None, text_of)
INTEGER = Kind(integer_part, lambda value: integer_part(-value), integer_of)
BOOLEAN = Kind(lambda value: "t" if value else "f", lambda value: "f" if value else "t", boolean_of)
MOMENT = Kind(
    moment_part,
    lambda value: moment_part(value) and integer_part(-((value - _EPOCH) // _MICROSECOND)),
    moment_of,
)
REAL = Kind(real_part, lambda value: real_part(value, descending=True), None)


def _no(part: str, what: str) -> bool:
    raise ValueError(f"{part!r} is no {what}")
