"""JSON values as native DynamoDB attributes, so that the table reads well in any console.

boto3's own serializer takes no floats and costs several times as much.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from blockfold.domain.canonical import Json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def to_attribute(value: Json) -> AttributeValueTypeDef:
    """A canonical value as an attribute."""
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    if isinstance(value, list):
        return {"L": [to_attribute(each) for each in value]}
    return {"M": {key: to_attribute(each) for key, each in value.items()}}


def from_attribute(attribute: AttributeValueTypeDef) -> Json:
    """The value behind an attribute that `to_attribute` made.

    Raises:
        ValueError: The attribute is of a type that JSON does not have.
    """
    ((kind, content),) = cast("dict[str, Any]", attribute).items()
    if kind in ("S", "BOOL"):
        return cast("Json", content)
    if kind == "N":
        return _number(content)
    if kind == "NULL":
        return None
    if kind == "L":
        return [from_attribute(each) for each in content]
    if kind == "M":
        return {key: from_attribute(each) for key, each in content.items()}
    raise ValueError(f"DynamoDB type {kind} is no JSON")


def _number(text: str) -> int | float:
    """DynamoDB may give ``10000`` back as ``1E+4``."""
    if text.lstrip("-").isdigit():
        return int(text)
    number = Decimal(text)
    whole = number.to_integral_value()
    return int(whole) if whole == number else float(text)
