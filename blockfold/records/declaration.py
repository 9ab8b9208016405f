"""What a record type was declared as: its name, the parts of its key, its indexes."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import inspect

from blockfold.domain.canonical import check_key
from blockfold.domain.errors import DefinitionError, LimitExceeded
from blockfold.records.errors import InvalidRecord
from blockfold.records.fields import Field, field_of, fields_of
from blockfold.records.indexes import Index
from blockfold.records.parts import SEPARATOR

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class IndexDeclaration:
    """An index of a record type.

    Attributes:
        name: Its name.
        prefix: How the keys of its entries start.
        within: Fields that are given when it is read.
        fields: What it sorts by.
        rest: Parts of the record's key that are not among ``within``, as places in it.
        key: For each part of the record's key its place among an entry's parts.
        descending: The highest first.
    """

    name: str
    prefix: str
    within: tuple[Field, ...]
    fields: tuple[Field, ...]
    rest: tuple[int, ...]
    key: tuple[int, ...]
    descending: bool


@dataclass(frozen=True, slots=True)
class Declaration:
    """A record type as its declaration says, checked.

    Attributes:
        type: The class.
        name: The name that its keys start with.
        key: The parts of its key.
        values: The fields that are stored under the key: all others.
        indexes: Its indexes by name.
    """

    type: type[msgspec.Struct]
    name: str
    key: tuple[Field, ...]
    values: tuple[str, ...]
    indexes: Mapping[str, IndexDeclaration]

    @property
    def prefix(self) -> str:
        """How the keys of its records start."""
        return self.name + SEPARATOR

    @property
    def index_prefix(self) -> str:
        """How the keys of all entries of its indexes start."""
        return f"{self.name}."

    def is_entry(self, key: str) -> bool:
        """Whether a key can be an entry of an index of this type, one of other days included."""
        index, found, _ = key.removeprefix(self.index_prefix).partition(SEPARATOR)
        return bool(found and key.startswith(self.index_prefix) and _NAME.fullmatch(index))

    def parts(self, fields: Sequence[Field], values: Sequence[object]) -> list[str]:
        """Values given by a caller as parts, checked.

        Raises:
            InvalidRecord: One is of another type, or has no place in a key.
        """
        found = []
        for field, value in zip(fields, values, strict=False):
            try:
                plain = value.value if isinstance(value, enum.Enum) else value
                checked = msgspec.convert(plain, field.hint)
                found.append(field.part(checked))
            except (msgspec.ValidationError, ValueError, TypeError) as error:
                raise InvalidRecord(f"{self.name}.{field.name}: {error}") from None
        return found

    def key_of(self, parts: Iterable[str]) -> str:
        """The key of a record.

        Raises:
            LimitExceeded: It is too long, or no UTF-8.
        """
        return self.checked(self.prefix + SEPARATOR.join(parts))

    def checked(self, key: str) -> str:
        """A key, if it can be one.

        Raises:
            LimitExceeded: It is too long, or no UTF-8.
        """
        try:
            return check_key(key)
        except LimitExceeded as error:
            raise LimitExceeded(
                f"a key of {self.name}: {error.message}", hint="shorten what stands in the key"
            ) from None

    def entries_of(self, record: msgspec.Struct, key: Sequence[str]) -> list[str]:
        """The keys of a record's entries in all indexes.

        Args:
            record: The record, checked.
            key: The parts of its key.

        Raises:
            InvalidRecord: A field has no place in a key.
            LimitExceeded: A key is too long.
        """
        entries = []
        for index in self.indexes.values():
            fields = [*index.within, *index.fields]
            values = [getattr(record, field.name) for field in fields]
            if None in values:
                continue
            parts: list[str] = []
            for field, value in zip(fields, values, strict=True):
                down = index.descending and len(parts) >= len(index.within)
                try:
                    parts.append(field.part(value, descending=down))
                except ValueError as error:
                    raise InvalidRecord(f"{self.name}.{field.name}: {error}") from None
            parts += [key[place] for place in index.rest]
            entries.append(self.checked(index.prefix + SEPARATOR.join(parts)))
        return entries


def declare(
    type_: type[msgspec.Struct], name: str, key: tuple[str, ...], indexes: Mapping[str, Index]
) -> Declaration:
    """Check a declaration.

    Raises:
        DefinitionError: It cannot work.
    """
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{type_.__name__}: {name!r} cannot name a record",
            hint="a lower case letter, then letters, digits, _ and -",
        )
    if not key:
        raise DefinitionError(f"{type_.__name__} has no key", hint="name its fields: key=(…)")
    fields = fields_of(type_)
    found = tuple(field_of(type_, fields, each) for each in key)
    for each in found:
        if each.optional or each.kind.value is None:
            raise DefinitionError(
                f"{type_.__name__}.{each.name} cannot stand in the key",
                hint="take text, integers, booleans or moments, none of them optional",
            )
    if len(set(key)) < len(key):
        raise DefinitionError(
            f"{type_.__name__} names a field twice in its key", hint="name each once"
        )
    return Declaration(
        type=type_,
        name=name,
        key=found,
        values=tuple(each for each in fields if each not in key),
        indexes={
            each: _index(type_, name, key, fields, each, index) for each, index in indexes.items()
        },
    )


def _index(
    type_: type[msgspec.Struct],
    record: str,
    key: tuple[str, ...],
    fields: Mapping[str, inspect.Type],
    name: str,
    index: Index,
) -> IndexDeclaration:
    where = f"the index {name!r} of {type_.__name__}"
    if not _NAME.fullmatch(name) or not index.fields:
        raise DefinitionError(
            f"{where} needs a plain name and fields to sort by",
            hint='write indexes={"name": Ascending("field")}',
        )
    within = tuple(field_of(type_, fields, each) for each in index.within)
    sorted_by = tuple(field_of(type_, fields, each) for each in index.fields)
    for each in sorted_by:
        if index.descending and each.kind.descending is None:
            raise DefinitionError(
                f"{where} cannot sort {each.name} downwards",
                hint="numbers, booleans and moments can; text only upwards",
            )
    rest = tuple(place for place, each in enumerate(key) if each not in index.within)
    before = len(within) + len(sorted_by)
    places = tuple(
        index.within.index(each) if each in index.within else before + rest.index(place)
        for place, each in enumerate(key)
    )
    prefix = f"{record}.{name}{SEPARATOR}"
    return IndexDeclaration(name, prefix, within, sorted_by, rest, places, index.descending)
