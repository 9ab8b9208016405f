"""Attribute values: what DynamoDB takes, what it makes of them, and how large they are.

Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tests.simulation.services.dynamodb.invalid import Invalid

Attribute = dict[str, Any]
Item = dict[str, Attribute]

MAX_ITEM_BYTES = 400 * 1024
MAX_LEVELS = 32
"""Of nesting, the scalar at the bottom counted."""

MAX_NAME_BYTES = 65_535
MAX_DIGITS = 38
LARGEST_EXPONENT = 125
SMALLEST_EXPONENT = -130

_SURELY_CANONICAL = 18
"""Digits of an integer that need no look at their number."""


def normal_item(item: Item) -> tuple[Item, int]:
    """An item as it is stored, sharing nothing with the caller's, and its size in bytes.

    Raises:
        Invalid: DynamoDB would refuse it.
    """
    stored: Item = {}
    size = 0
    for name, attribute in item.items():
        stored[name], bytes_ = normal(attribute)
        size += _name(name) + bytes_
    return stored, size


def normal(attribute: Attribute, level: int = 1) -> tuple[Attribute, int]:
    """An attribute as it is stored, and its size in bytes.

    Raises:
        Invalid: DynamoDB would refuse it.
    """
    if len(attribute) != 1:
        raise Invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
            if attribute
            else "Supplied AttributeValue is empty, must contain exactly one of the supported "
            "datatypes"
        )
    (kind,) = attribute
    return _NORMAL[kind](kind, attribute[kind], level)


def _string(_kind: str, content: Any, _level: int) -> tuple[Attribute, int]:
    if not isinstance(content, str):
        raise TypeError(f"boto3 takes no {content!r} for S")
    return {"S": content}, _utf8(content)


def _number(_kind: str, content: Any, _level: int) -> tuple[Attribute, int]:
    number, size = _sized_number(content)
    return {"N": number}, size


@lru_cache(maxsize=16_384)
def _sized_number(text: str) -> tuple[str, int]:
    number = canonical_number(text)
    return number, (len(number.strip("-0.")) + 1) // 2 + 1


def _binary(_kind: str, content: Any, _level: int) -> tuple[Attribute, int]:
    return {"B": bytes(content)}, len(content)


def _bool(_kind: str, content: Any, _level: int) -> tuple[Attribute, int]:
    if not isinstance(content, bool):
        raise TypeError(f"boto3 takes no {content!r} for BOOL")
    return {"BOOL": content}, 1


def _null(_kind: str, content: Any, _level: int) -> tuple[Attribute, int]:
    if content is not True:
        raise Invalid("Null attribute value types must have the value of true")
    return {"NULL": True}, 1


def _list(_kind: str, content: Any, level: int) -> tuple[Attribute, int]:
    _check_level(level)
    list_, size = [], 3
    for each in content:
        element, bytes_ = normal(each, level + 1)
        list_.append(element)
        size += bytes_ + 1
    return {"L": list_}, size


def _map(_kind: str, content: Any, level: int) -> tuple[Attribute, int]:
    _check_level(level)
    map_, size = {}, 3
    for name, each in content.items():
        map_[name], bytes_ = normal(each, level + 1)
        size += _name(name) + bytes_ + 1
    return {"M": map_}, size


def _set(kind: str, content: Any, _level: int) -> tuple[Attribute, int]:
    elements = [normal({kind[0]: each}) for each in content]
    if not elements or len(set(content)) < len(content):
        raise Invalid("One or more parameter values were invalid: a set has distinct elements")
    values = sorted(next(iter(element.values())) for element, _ in elements)
    return {kind: values}, sum(bytes_ for _, bytes_ in elements)


_NORMAL: dict[str, Callable[[str, Any, int], tuple[Attribute, int]]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _bool,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _set,
    "NS": _set,
    "BS": _set,
}


def _check_level(level: int) -> None:
    if level >= MAX_LEVELS:
        raise Invalid("Nesting Levels have exceeded supported limits")


def canonical_number(text: str) -> str:
    """A number as DynamoDB gives it back: 1.0 is 1.

    Raises:
        Invalid: It is no number, or none that DynamoDB keeps.
    """
    if not isinstance(text, str):
        raise TypeError(f"boto3 takes no {text!r} for N")
    if text.isdigit() and text.isascii() and len(text) <= _SURELY_CANONICAL:
        return text if text[0] != "0" else text.lstrip("0") or "0"
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite() or "_" in text or text.strip() != text:
        raise Invalid(
            f"The parameter cannot be converted to a numeric value: {text}"
            if text
            else "The parameter cannot be converted to a numeric value"
        )
    digits = number.as_tuple().digits
    significant = len(bytes(digits).strip(b"\0"))
    if not significant:
        return "0"
    if significant > MAX_DIGITS:
        raise Invalid("Attempting to store more than 38 significant digits in a Number")
    if number.adjusted() > LARGEST_EXPONENT:
        raise Invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported "
            "range"
        )
    if number.adjusted() < SMALLEST_EXPONENT:
        raise Invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported "
            "range"
        )
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain.lstrip("0")


def copied(item: Item) -> Item:
    """An item of which the caller may change what it likes."""
    return {name: _copy(attribute) for name, attribute in item.items()}


def _copy(attribute: Attribute) -> Attribute:
    for kind, content in attribute.items():
        if kind == "M":
            return {"M": {name: _copy(each) for name, each in content.items()}}
        if kind == "L":
            return {"L": [_copy(each) for each in content]}
        if kind in ("SS", "NS", "BS"):
            return {kind: [*content]}
    return dict(attribute)


def ordered(attribute: Attribute) -> Any:
    """What compares as DynamoDB compares attributes of this one's type.

    Strings compare by their UTF-8 bytes, which is how Python compares them, too.
    """
    ((kind, content),) = attribute.items()
    if kind == "N":
        return int(content) if content.lstrip("-").isdigit() else Decimal(content)
    if kind in ("S", "B"):
        return content
    raise Invalid(f"Incorrect operand type for operator or function: {kind}")


@lru_cache(maxsize=4096)
def _name(name: str) -> int:
    """The bytes of an attribute's name.

    Raises:
        Invalid: It is no name.
    """
    size = _utf8(name)
    if not 1 <= size <= MAX_NAME_BYTES:
        raise Invalid("Attribute names have 1 to 65,535 bytes" if size else "Empty attribute name")
    return size


def _utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
