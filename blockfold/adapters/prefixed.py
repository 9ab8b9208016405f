"""An object store below a prefix of another: several programs in one bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from blockfold.ports import ObjectStore, Stored


class PrefixedObjectStore:
    """An `ObjectStore` whose keys all stand below a prefix.

    Args:
        below: Where they stand.
        prefix: What comes before each key.
    """

    def __init__(self, below: ObjectStore, prefix: str) -> None:
        self._below = below
        self._prefix = prefix

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        return self._below.put_new(self._prefix + key, data)

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        return self._below.get(self._prefix + key)

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        found = self._below.stat(self._prefix + key)
        return None if found is None else self._named(found)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        return map(self._named, self._below.list(self._prefix + prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        return self._below.folders(self._prefix + prefix)

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace`."""
        self._below.replace(self._prefix + key, data)

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore.delete`."""
        self._below.delete(self._prefix + key for key in keys)

    def _named(self, stored: Stored) -> Stored:
        return replace(stored, key=stored.key.removeprefix(self._prefix))
