"""The fields of a record that stand in keys, and what types they may have."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from blockfold.domain.errors import DefinitionError
from blockfold.records.parts import BOOLEAN, INTEGER, MOMENT, REAL, TEXT, Kind

_KINDS: dict[type[inspect.Type], Kind] = {
    inspect.StrType: TEXT,
    inspect.IntType: INTEGER,
    inspect.BoolType: BOOLEAN,
    inspect.DateTimeType: MOMENT,
    inspect.FloatType: REAL,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field that stands in keys.

    Attributes:
        name: Its name.
        hint: Its type, as it is checked.
        kind: How its values become parts.
        optional: It may be None.
    """

    name: str
    hint: Any
    kind: Kind
    optional: bool

    def part(self, value: Any, *, descending: bool = False) -> str:
        """A checked value as a part.

        Raises:
            ValueError: It has no place in a key.
        """
        if isinstance(value, enum.Enum):
            value = value.value
        encode = self.kind.descending if descending else self.kind.part
        assert encode is not None
        try:
            return encode(value)
        except OverflowError as error:  # a moment whose time in UTC no datetime can hold
            raise ValueError(str(error)) from error


def fields_of(type_: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    """The types of all fields of a struct.

    Raises:
        DefinitionError: A type hint cannot be resolved.
    """
    try:
        info = inspect.type_info(type_)
    except (NameError, AttributeError, TypeError, ValueError) as error:
        raise DefinitionError(
            f"a type hint of {type_.__name__} cannot be resolved: {error}",
            hint="define or import the name above the record, not under TYPE_CHECKING",
        ) from error
    assert isinstance(info, inspect.StructType)
    return {field.name: field.type for field in info.fields}


def field_of(type_: type[msgspec.Struct], fields: Mapping[str, inspect.Type], name: str) -> Field:
    """A field that shall stand in keys.

    Raises:
        DefinitionError: There is none of that name, or no key can hold its type.
    """
    if name not in fields:
        raise DefinitionError(
            f"{type_.__name__} has no field {name!r}", hint=f"its fields: {', '.join(fields)}"
        )
    kind, optional = _kind(fields[name])
    if kind is None:
        raise DefinitionError(
            f"{type_.__name__}.{name} has a type that no key can hold",
            hint="take text, a number, a boolean or a moment",
        )
    return Field(name, get_type_hints(type_, include_extras=True)[name], kind, optional)


def _kind(found: inspect.Type) -> tuple[Kind | None, bool]:
    """How values of a type become parts, and whether None is one of them."""
    if isinstance(found, inspect.Metadata):
        return _kind(found.type)
    if isinstance(found, inspect.UnionType):
        some = [each for each in found.types if not isinstance(each, inspect.NoneType)]
        kind = _kind(some[0])[0] if len(some) == 1 else None
        return kind, len(some) < len(found.types)
    values: Iterable[object] = ()
    if isinstance(found, inspect.LiteralType):
        values = found.values
    elif isinstance(found, inspect.EnumType):
        values = [each.value for each in found.cls]
    if all(isinstance(each, str) for each in values) and values:
        return TEXT, False
    if all(type(each) is int for each in values) and values:
        return INTEGER, False
    return _KINDS.get(type(found)), False
