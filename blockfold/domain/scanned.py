"""Views of a mapping that is read by scans: one pass over it, not a look-up for each key."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import Any, Protocol


class Scanned(Protocol):
    """A mapping that is read in passes."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def scan(self) -> Iterator[tuple[str, Any]]:
        """All entries, in key order."""


class ScannedItems(ItemsView[str, Any]):
    """The entries of a mapping, by one scan: of one moment, though others write meanwhile."""

    _mapping: Scanned

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self._mapping.scan()


class ScannedValues(ValuesView[Any]):
    """The values of a mapping, by one scan."""

    _mapping: Scanned

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._mapping.scan())

    def __contains__(self, value: object) -> bool:
        return any(value is each or value == each for each in self)
