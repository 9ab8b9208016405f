"""Canonical JSON: one byte string for each value, and the limits that every value must keep.

Two equal values have the same bytes, so bytes are what is hashed, compared and stored:

- UTF-8, no white space, object keys in code point order, shortest escapes;
- a number without a fraction is written as an integer (``1.0`` is ``1``, ``1e3`` is ``1000``),
  any other as the shortest decimal that reads back as the same IEEE double. A float without a
  fraction stands for its shortest decimal too: the double ``1e23`` is 10 to the 23rd;
- no NaN, no infinities, no lone surrogates.

Limits, and where each comes from:

- numbers: 38 significant digits, magnitude 1e-130 … 9.9…e125 (DynamoDB's number type);
- depth 28: DynamoDB allows 32 levels, of which the item and attribute take some;
- a value is at most 350 KB as JSON and as DynamoDB counts it (an item is at most 400 KB);
- keys of nested objects are 1 … 65,535 bytes of UTF-8 (DynamoDB's attribute names);
- a key is 1 … 1,024 bytes of UTF-8 (DynamoDB's sort key).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import TypeAlias

import msgspec

from blockfold.domain.errors import LimitExceeded

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A JSON value as Python objects. Numbers without a fraction are ``int``."""

Canonical: TypeAlias = bytes
"""A JSON value as canonical bytes."""

MAX_DEPTH = 28
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130
MAX_KEY_BYTES = 1_024
MAX_VALUE_BYTES = 350 * 1_024
MAX_NAME_BYTES = 65_535

_LARGEST = 10 ** (MAX_EXPONENT + 1)
_ALWAYS_SAFE = 10**MAX_DIGITS
_SURELY_SMALL = MAX_VALUE_BYTES // 4

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()


def encode(value: object) -> Canonical:
    """The canonical bytes of a value.

    Args:
        value: Anything made of dicts with string keys, lists, tuples, strings, numbers,
            booleans and None.

    Raises:
        LimitExceeded: The value is no JSON, or breaks a limit of this module.
    """
    flat = encode_flat(value)
    return encode_raw(normalise(value)) if flat is None else flat


encode_raw: Callable[[object], Canonical] = _encoder.encode
"""Bytes of a value that is already normal: no checks, structs allowed."""

decode: Callable[[Canonical], Json] = _decoder.decode
"""The value behind canonical bytes: a fresh object on every call."""


def encode_flat(value: object) -> Canonical | None:
    """The canonical bytes of a small object without lists, objects and fractions in it.

    Most values are such, and need no copy to be normal. None for any other value.
    """
    if type(value) is not dict:
        return None
    for name, each in value.items():
        if type(name) is not str or not name.isascii() or not 0 < len(name) <= MAX_NAME_BYTES:
            return None
        kind = type(each)
        if kind is str:
            if not each.isascii():
                return None
        elif kind is int:
            if not -_ALWAYS_SAFE < each < _ALWAYS_SAFE:
                return None
        elif kind is not bool and each is not None:
            return None
    data = encode_raw(value)
    return data if len(data) <= _SURELY_SMALL else None


def encode_value(value: object) -> Canonical:
    """Like `encode`, and holds the value to the size of one stored entry.

    Raises:
        LimitExceeded: As `encode`; or the value is larger than ``MAX_VALUE_BYTES``.
    """
    flat = encode_flat(value)
    if flat is not None:
        return flat
    normal = normalise(value)
    data = encode_raw(normal)
    size = len(data) if len(data) <= _SURELY_SMALL else max(len(data), stored_size(normal))
    if size > MAX_VALUE_BYTES:
        raise LimitExceeded(
            f"the value has {size:,} bytes, {MAX_VALUE_BYTES:,} are the most for one key",
            hint="spread it over several keys",
        )
    return data


def check_key(key: object) -> str:
    """The key as a plain string, if it can be one.

    Raises:
        LimitExceeded: Not a string, empty, too long, or not encodable as UTF-8.
    """
    if type(key) is str and key.isascii() and 1 <= len(key) <= MAX_KEY_BYTES:
        return key
    if not isinstance(key, str):
        raise LimitExceeded(f"a state key must be a string, not {type(key).__name__}")
    size = _utf8_size(key)
    if not 1 <= size <= MAX_KEY_BYTES:
        raise LimitExceeded(
            f"a state key has 1 to {MAX_KEY_BYTES:,} bytes of UTF-8, this one {size:,}"
        )
    return str.__str__(key)


def normalise(value: object, depth: int = 0) -> Json:
    """A fresh copy of the value in canonical form: see the module's rules.

    Raises:
        LimitExceeded: The value is no JSON, or breaks a limit other than the size.
    """
    kind = type(value)
    if kind is dict or kind is list:  # first, for what they hold rarely comes here by itself
        return _container(value, depth + 1)  # type: ignore[arg-type]
    if kind is str:
        _utf8_size(value)  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    if kind is int:
        return _integer(value)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return value  # type: ignore[return-value]
    if kind is float:
        return _real(value)  # type: ignore[arg-type]
    if isinstance(value, (dict, list, tuple)):
        return _container(value, depth + 1)
    if isinstance(value, str):
        return normalise(str.__str__(value))
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        return _real(float(value))
    raise LimitExceeded(
        f"{kind.__name__} is no JSON value", hint="store strings, numbers, lists or dicts"
    )


def stored_size(value: Json) -> int:
    """Bytes that DynamoDB counts for a value (Developer Guide, "Item sizes and formats").

    Strings count their UTF-8, numbers a byte for two digits and one more, booleans and null one,
    lists and maps three bytes and one for each element, map keys their UTF-8.
    """
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, (int, float)):
        return len(str(value)) // 2 + 2
    if isinstance(value, list):
        return 3 + sum(1 + stored_size(each) for each in value)
    return 3 + sum(1 + len(key.encode()) + stored_size(each) for key, each in value.items())


def _container(value: dict[object, object] | list[object] | tuple[object, ...], depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested at most {MAX_DEPTH} levels deep")
    if not isinstance(value, dict):
        return [each if _is_plain(each) else normalise(each, depth) for each in value]  # type: ignore[misc]
    return {
        _name(key): each if _is_plain(each) else normalise(each, depth)  # type: ignore[misc]
        for key, each in value.items()
    }


def _is_plain(value: object) -> bool:
    """Whether a value surely is normal as it is: what most values of most objects are."""
    if type(value) is str:
        return value.isascii()
    return type(value) is int and -_ALWAYS_SAFE < value < _ALWAYS_SAFE


def _name(key: object) -> str:
    if type(key) is str and key.isascii() and 1 <= len(key) <= MAX_NAME_BYTES:
        return key
    if not isinstance(key, str):
        raise LimitExceeded(f"object keys are strings, not {type(key).__name__}")
    if not 1 <= _utf8_size(key) <= MAX_NAME_BYTES:
        raise LimitExceeded(f"an object key has 1 to {MAX_NAME_BYTES:,} bytes of UTF-8")
    return str.__str__(key)


def _utf8_size(text: str) -> int:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise LimitExceeded("a string holds a lone surrogate, which is no UTF-8") from None


def _integer(value: int) -> int:
    if -_ALWAYS_SAFE < value < _ALWAYS_SAFE:
        return value
    if not -_LARGEST < value < _LARGEST:
        raise LimitExceeded(f"a number is below 1e{MAX_EXPONENT + 1} in magnitude")
    if len(str(abs(value)).rstrip("0")) > MAX_DIGITS:
        raise LimitExceeded(f"a number has at most {MAX_DIGITS} significant digits")
    return value


def _real(value: float) -> int | float:
    if not isfinite(value):
        raise LimitExceeded(f"{value} is no JSON number")
    if value.is_integer():
        return int(value) if abs(value) < 2**53 else _integer(int(Decimal(repr(value))))
    if abs(value) < 10.0**MIN_EXPONENT:
        raise LimitExceeded(f"{value} is closer to zero than 1e{MIN_EXPONENT}")
    return value
