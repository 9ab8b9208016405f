"""The records of one type in a state, read: one by one, in pages, counted, ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar, cast

import msgspec

from blockfold.domain.errors import Corrupted
from blockfold.records.declaration import Declaration, IndexDeclaration
from blockfold.records.errors import InvalidRecord, OutdatedRecord
from blockfold.records.parts import SEPARATOR
from blockfold.records.states import Readable

R = TypeVar("R", bound=msgspec.Struct)

PAGE = 100
"""Records in a page if the caller does not say."""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some records, and where the next page begins.

    Attributes:
        items: The records, in order.
        next: What to give as ``after`` for the next page; None if this is the last one.
    """

    items: list[R]
    next: str | None


class RecordReader(Generic[R]):
    """The records of one type in a state that may only be read; `Record.of` makes it.

    Missing and wrong are never mixed up: what is not there is None, everything else is an error.
    Every method that takes parts of a key raises `InvalidRecord` if one is of another type.
    """

    def __init__(self, declaration: Declaration, state: Readable) -> None:
        self._declaration = declaration
        self._state = state

    def get(self, *key: object) -> R | None:
        """The record with that key, or None.

        Raises:
            OutdatedRecord: What is stored does not fit the declaration any more.
        """
        where = self._declaration.key_of(self._whole(key))
        try:
            stored = self._state[where]
        except KeyError:
            return None
        return self._load(where, stored)

    def scan(self, *parts: object, limit: int = PAGE, after: str | None = None) -> Page[R]:
        """A page of the records whose key begins with those parts, in the key's order.

        Records that are written or deleted between two pages neither repeat nor hide others.

        Args:
            parts: The first parts of the key; none for all records.
            limit: Most records in the page.
            after: The `Page.next` of the page before; None for the first.

        Raises:
            InvalidRecord: ``after`` comes from another scan.
            OutdatedRecord: A stored record does not fit the declaration any more.
        """
        prefix = self._leading(parts)
        found = self._state.scan(prefix, after=self._bound(after, prefix))
        rows, more = _cut(found, limit)
        return Page([self._load(*row) for row in rows], rows[-1][0] if more else None)

    def each(self, *parts: object) -> Iterator[R]:
        """All records whose key begins with those parts, in the key's order, one by one."""
        return (self._load(*row) for row in self._state.scan(self._leading(parts)))

    def count(self, *parts: object) -> int:
        """How many records have a key that begins with those parts; reads them, decodes none."""
        return sum(1 for _ in self._state.scan_keys(self._leading(parts)))

    def top(self, index: str, most: int, *, within: object = ()) -> list[R]:
        """The first records of an index: reads that many entries, and these records.

        Args:
            index: The index's name.
            most: How many records at most.
            within: What the index's ``within`` fields are: a value, or a tuple of several.
        """
        return self.ranked(index, within=within, limit=most).items

    def ranked(
        self, index: str, *, within: object = (), limit: int = PAGE, after: str | None = None
    ) -> Page[R]:
        """A page of the records in the order of an index; see `scan` and `top`.

        Raises:
            InvalidRecord: There is no such index; or ``after`` comes from another scan.
            Corrupted: An entry of the index has no record: something else wrote these keys.
        """
        found = self._index(index)
        values = within if isinstance(within, tuple) else (within,)
        if len(values) != len(found.within):
            raise InvalidRecord(
                f"the index {index!r} of {self._declaration.name} is read within "
                f"{len(found.within)} values, not {len(values)}",
                hint=f"give within={', '.join(field.name for field in found.within) or '()'}",
            )
        parts = self._declaration.parts(found.within, values)
        prefix = found.prefix + "".join(part + SEPARATOR for part in parts)
        keys, more = _cut(self._state.scan_keys(prefix, after=self._bound(after, prefix)), limit)
        return Page(self._behind(found, keys), keys[-1] if more else None)

    # -- inside ------------------------------------------------------------------------------

    def _whole(self, key: tuple[object, ...]) -> list[str]:
        fields = self._declaration.key
        if len(key) != len(fields):
            names = ", ".join(field.name for field in fields)
            raise InvalidRecord(f"the key of {self._declaration.name} is {names}: {len(key)} given")
        return self._declaration.parts(fields, key)

    def _leading(self, parts: tuple[object, ...]) -> str:
        fields = self._declaration.key
        if len(parts) >= len(fields):
            raise InvalidRecord(
                f"{len(parts)} parts are no beginning of the key of {self._declaration.name}, "
                f"which has {len(fields)}",
                hint="one record is read by get",
            )
        found = self._declaration.parts(fields, parts)
        prefix = self._declaration.prefix + "".join(part + SEPARATOR for part in found)
        return self._declaration.checked(prefix)

    def _bound(self, after: str | None, prefix: str) -> str:
        if after is None:
            return ""
        if not isinstance(after, str) or not after.startswith(prefix):
            raise InvalidRecord(
                f"{after!r} is no place in this scan of {self._declaration.name}",
                hint="give the next of the page before, with the same arguments",
            )
        return after

    def _index(self, name: str) -> IndexDeclaration:
        found = self._declaration.indexes.get(name)
        if found is None:
            known = ", ".join(self._declaration.indexes) or "none"
            raise InvalidRecord(
                f"{self._declaration.name} has no index {name!r}", hint=f"it has {known}"
            )
        return found

    def _behind(self, index: IndexDeclaration, entries: Iterable[str]) -> list[R]:
        """The records that entries of an index stand for."""
        keys = []
        for entry in entries:
            parts = entry.removeprefix(index.prefix).split(SEPARATOR)
            try:
                keys.append(self._declaration.key_of(parts[place] for place in index.key))
            except IndexError:
                raise self._orphan(entry) from None
        stored = self._state.get_many(keys)
        for entry, key in zip(entries, keys, strict=True):
            if key not in stored:
                raise self._orphan(entry)
        return [self._load(key, stored[key]) for key in keys]

    def _orphan(self, entry: str) -> Corrupted:
        return Corrupted(
            f"the index entry {entry!r} has no record",
            hint="keys of records are written by them alone; reindex() mends it",
        )

    def _load(self, key: str, stored: Any) -> R:
        declaration = self._declaration
        parts = key.removeprefix(declaration.prefix).split(SEPARATOR)
        if not isinstance(stored, dict) or len(parts) != len(declaration.key):
            raise OutdatedRecord(f"the key {key!r} holds no {declaration.name}")
        fields = dict(stored)
        for field, part in zip(declaration.key, parts, strict=True):
            assert field.kind.value is not None
            try:
                value = field.kind.value(part)
                if field.kind.part(value) != part:
                    raise ValueError(f"{part!r} is not how a part is written")
            except ValueError as error:
                raise OutdatedRecord(f"the key {key!r}, {field.name}: {error}") from None
            if field.name in fields:
                raise OutdatedRecord(f"the key {key!r} holds {field.name!r} a second time")
            fields[field.name] = value
        try:
            return cast("R", msgspec.convert(fields, declaration.type, str_keys=True))
        except msgspec.ValidationError as error:
            raise OutdatedRecord(
                f"the {declaration.name} under {key!r} does not fit its declaration: {error}",
                hint="give new fields a default; write what was stored before anew, by an action",
            ) from None


def _cut(found: Iterator[Any], limit: int) -> tuple[list[Any], bool]:
    """So many of them, and whether there are more.

    Raises:
        InvalidRecord: The limit is none.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidRecord(f"a page has at least one record, not {limit!r}")
    some = list(islice(found, limit + 1))
    return some[:limit], len(some) > limit
