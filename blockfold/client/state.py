"""A state as a mapping for applications."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from itertools import chain
from typing import Any

from blockfold.application.state_at import StateAt
from blockfold.domain.canonical import check_key, decode
from blockfold.domain.scanned import ScannedItems, ScannedValues
from blockfold.domain.spans import FIRST


class StateReader(Mapping[str, Any]):
    """A machine's state right after one block: a read-only mapping key → JSON value, in key order.

    It stays that state however long it is held. Looking up a key reads that key; iterating,
    ``len``, ``items`` and comparing read everything, in pages; ``dict(state.items())`` does, and
    ``dict(state)`` looks up each key by itself. Values are fresh copies: changing one
    changes nothing else. `Record.of` takes it as it is.

    Reading may raise `Unavailable`, which may be tried again, and `Corrupted`. A key that can be
    none raises `LimitExceeded`.
    """

    def __init__(self, source: StateAt) -> None:
        self._source = source

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self._source.machine

    @property
    def number(self) -> int:
        """The block; 0 is the empty state before the first."""
        return self._source.number

    @property
    def digest(self) -> str:
        """The digest of the whole state: 64 hex digits."""
        return self._source.digest

    def __getitem__(self, key: str) -> Any:
        data = self._source.get(check_key(key))
        if data is None:
            raise KeyError(key)
        return decode(data)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._source.get(check_key(key)) is not None

    def __iter__(self) -> Iterator[str]:
        return self.scan_keys()

    def __len__(self) -> int:
        return sum(1 for _ in self.scan_keys())

    def __repr__(self) -> str:
        return f"<state of machine {self.machine!r} at block {self.number}>"

    def items(self) -> ItemsView[str, Any]:
        """All entries, in key order, by one scan."""
        return ScannedItems(self)

    def values(self) -> ValuesView[Any]:
        """All values, in the order of their keys, by one scan."""
        return ScannedValues(self)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that exist, read together."""
        found = self._source.get_many(list(map(check_key, keys)))
        return {key: decode(data) for key, data in found.items()}

    def scan(self, prefix: str = "", *, after: str = FIRST) -> Iterator[tuple[str, Any]]:
        """Entries whose key starts with the prefix, in key order.

        Args:
            prefix: How the keys start.
            after: Only keys above this one; those up to it are not read.
        """
        return ((key, decode(data)) for key, data in self._entries(prefix, after))

    def scan_keys(self, prefix: str = "", *, after: str = FIRST) -> Iterator[str]:
        """Like `scan`, without the values."""
        return (key for key, _ in self._entries(prefix, after))

    def _entries(self, prefix: str, after: str) -> Iterator[tuple[str, bytes]]:
        for each in chain(prefix and [prefix], after and [after]):
            check_key(each)
        return self._source.scan(prefix, after)
