"""States as read-only mappings: key → value as Python objects, in key order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from itertools import islice

from blockfold.domain.canonical import Canonical, Json, decode
from blockfold.domain.scanned import ScannedItems, ScannedValues
from blockfold.domain.spans import FIRST
from blockfold.domain.state import Source

SHOWN = 20
"""Entries that a state shows of itself in a notebook."""


class StateView(Mapping[str, Json]):
    """A state, read only. Values are fresh copies: changing one changes nothing else.

    Has all that `blockfold.records` needs of a state.

    Args:
        source: Where the entries come from.
        size: Tells how many there are.
    """

    def __init__(self, source: Source, size: Callable[[], int]) -> None:
        self._source = source
        self._size = size

    def __getitem__(self, key: str) -> Json:
        data = self._source.get(key)
        if data is None:
            raise KeyError(key)
        return decode(data)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._source.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return self.scan_keys()

    def __len__(self) -> int:
        return self._size()

    def __repr__(self) -> str:
        """The first entries, as a dictionary shows them."""
        shown = [f"{key!r}: {value!r}" for key, value in islice(self.scan(), SHOWN + 1)]
        more = ["…"] if len(shown) > SHOWN else []
        return f"{{{', '.join([*shown[:SHOWN], *more])}}}"

    def items(self) -> ItemsView[str, Json]:
        """All entries, in key order, by one scan: they are of one moment."""
        return ScannedItems(self)

    def values(self) -> ValuesView[Json]:
        """All values, in the order of their keys; see `items`."""
        return ScannedValues(self)

    def get_many(self, keys: Iterable[str]) -> dict[str, Json]:
        """The values of those keys that exist."""
        found = self._source.get_many(list(keys))
        return {key: decode(value) for key, value in found.items()}

    def scan(self, prefix: str = "", *, after: str = FIRST) -> Iterator[tuple[str, Json]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        return ((key, decode(value)) for key, value in self._source.scan(prefix, after))

    def scan_keys(self, prefix: str = "", *, after: str = FIRST) -> Iterator[str]:
        """The keys of such entries; nothing is decoded."""
        return (key for key, _ in self._source.scan(prefix, after))


class Entries:
    """A whole state in memory as a `Source`; sorted when it is first scanned.

    Args:
        entries: Key → value as canonical bytes. They belong to this object from now on.
    """

    def __init__(self, entries: Mapping[str, Canonical]) -> None:
        self.entries = entries
        self._keys: list[str] | None = None

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self.entries.get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        return {key: self.entries[key] for key in keys if key in self.entries}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        if self._keys is None:
            self._keys = sorted(self.entries)
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        for key in islice(self._keys, first, None):
            if not key.startswith(prefix):
                return
            yield key, self.entries[key]


def view_of(entries: Mapping[str, Canonical]) -> StateView:
    """A state that is at hand, as a mapping."""
    return StateView(Entries(entries), lambda: len(entries))
