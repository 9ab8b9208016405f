"""An object store as it would be: changes are kept apart, what lies below is only read.

For dry runs: what works on it does all that it would do, and nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge

from blockfold.ports import ObjectStore, Stored


class OverlayObjectStore:
    """An `ObjectStore` over another one that stays as it is.

    Args:
        below: What is there.
        above: Where changed objects go; empty.
    """

    def __init__(self, below: ObjectStore, above: ObjectStore) -> None:
        self._below = below
        self._above = above
        self._deleted: set[str] = set()

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        if self.stat(key) is not None:
            return False
        self.replace(key, data)
        return True

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        if key in self._deleted:
            return None
        found = self._above.get(key)
        return self._below.get(key) if found is None else found

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        if key in self._deleted:
            return None
        return self._above.stat(key) or self._below.stat(key)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        before: str | None = None
        both = merge(self._above.list(prefix), self._below.list(prefix), key=lambda each: each.key)
        for each in both:
            if each.key not in self._deleted and each.key != before:
                yield each
            before = each.key

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        rest = (each.key.removeprefix(prefix) for each in self.list(prefix))
        return iter(sorted({each.partition("/")[0] for each in rest if "/" in each}))

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace`."""
        self._above.replace(key, data)
        self._deleted.discard(key)

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore.delete`."""
        for key in keys:
            self._above.delete([key])
            self._deleted.add(key)
