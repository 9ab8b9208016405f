"""The records of one type in a state that can be written.

Nothing here outlives the action that it works for: a record and its entries in indexes are keys
of the same state, so they are committed, undone and restored together. A process that dies
anywhere in between leaves what any action leaves then: nothing, or all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from blockfold.domain.errors import NotFound
from blockfold.records.errors import InvalidRecord
from blockfold.records.reader import R, RecordReader
from blockfold.records.states import Writable

_MISSING = object()


class Records(RecordReader[R]):
    """The records of one type in a state that can be written; `Record.of` makes it."""

    _state: Writable

    def put(self, record: R) -> None:
        """Store a record, whether its key has one or not.

        Raises:
            InvalidRecord: It is of another type, or a field does not fit its declaration.
            LimitExceeded: A key is too long.
            OutdatedRecord: It has indexes, and the record that it replaces cannot be read.
        """
        checked, stored = self._checked(record)
        parts = self._parts(checked)
        key = self._declaration.key_of(parts)
        entries = self._declaration.entries_of(checked, parts)
        if self._declaration.indexes:
            old = self._state.get_many([key]).get(key, _MISSING)
            before = [] if old is _MISSING else self._entries(self._load(key, old), parts)
            self._move(before, entries)
        self._state[key] = stored

    def update(self, *key: object, **changes: object) -> R:
        """Replace some fields of a record; the record as it is now.

        Raises:
            NotFound: There is no such record.
            InvalidRecord: There is no such field, it is part of the key, or its value does not fit.
        """
        found = self.get(*key)
        name = self._declaration.name
        if found is None:
            raise NotFound(f"there is no {name} {key!r}", hint="put makes one")
        for each in changes:
            if each not in self._declaration.values:
                known = ", ".join(self._declaration.values)
                raise InvalidRecord(f"{name}.{each} is no field to change", hint=f"it has {known}")
        changed = msgspec.structs.replace(found, **changes)
        self.put(changed)
        return self._checked(changed)[0]

    def delete(self, *key: object) -> bool:
        """Delete the record with that key; whether there was one."""
        parts = self._whole(key)
        where = self._declaration.key_of(parts)
        try:
            stored = self._state[where]
        except KeyError:
            return False
        if self._declaration.indexes:
            self._move(self._entries(self._load(where, stored), parts), [])
        del self._state[where]
        return True

    def reindex(self) -> int:
        """Bring the indexes in line with all records; how many entries were written or deleted.

        For an index that is declared when there are records already. Reads them all.
        """
        wanted: set[str] = set()
        for record in self.each():
            wanted.update(self._entries(record, self._parts(record)))
        prefix = self._declaration.index_prefix
        there = set(filter(self._declaration.is_entry, self._state.scan_keys(prefix)))
        self._move(there - wanted, wanted - there)
        return len(there ^ wanted)

    def _checked(self, record: R) -> tuple[R, dict[str, Any]]:
        """A record as it will be read again, and what is stored of it."""
        declaration = self._declaration
        if type(record) is not declaration.type:
            raise InvalidRecord(f"{type(record).__name__} is no {declaration.type.__name__}")
        try:
            fields = msgspec.to_builtins(record, str_keys=True, order="deterministic")
            checked: Any = msgspec.convert(fields, declaration.type, str_keys=True)
        except (TypeError, ValueError) as error:  # a ValidationError is a ValueError
            raise InvalidRecord(f"a {declaration.name} does not fit: {error}") from None
        return checked, {name: fields[name] for name in declaration.values}

    def _parts(self, record: R) -> list[str]:
        fields = self._declaration.key
        return self._declaration.parts(fields, [getattr(record, each.name) for each in fields])

    def _entries(self, record: R, parts: list[str]) -> list[str]:
        return self._declaration.entries_of(record, parts)

    def _move(self, before: Iterable[str], after: Iterable[str]) -> None:
        """Have just the entries that shall be, of those that were."""
        was, shall = set(before), set(after)
        for entry in sorted(was - shall):
            with suppress(KeyError):  # the index may be younger than the record
                del self._state[entry]
        for entry in sorted(shall - was):
            self._state[entry] = True
