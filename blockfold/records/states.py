"""What records need of a state, whoever holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Readable(Protocol):
    """A state that can be read: a reducer's, or what `MachineReader.state` gives."""

    def __getitem__(self, key: str, /) -> Any:
        """The value of a key; `KeyError` if there is none."""

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that exist."""

    def scan(self, prefix: str = "", *, after: str = "") -> Iterator[tuple[str, Any]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""

    def scan_keys(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """The keys of such entries."""


class Writable(Readable, Protocol):
    """A state that can be written as well: a reducer's."""

    def __setitem__(self, key: str, value: Any, /) -> None:
        """Set a key."""

    def __delitem__(self, key: str, /) -> None:
        """Delete a key that is there."""
