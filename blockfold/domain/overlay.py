"""The keys that a block wrote or deleted so far, in order, kept up as actions come and go."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable

_ONE_BY_ONE = 8
"""Up to one moved key for so many sorted ones each is put in its place; else all are sorted."""


class Overlay:
    """Sorted lists of the keys that are live and of those that are gone.

    Moves are only noted, and the lists brought up to date when they are looked at. A move that
    was noted without being made does no harm, and bringing up to date may be broken off at any
    point and done again: a reducer may run out of its time anywhere in here.

    Args:
        live: Whether a key was written (True), deleted (False), or neither (None), as of now.
    """

    def __init__(self, live: Callable[[str], bool | None]) -> None:
        self._is_live = live
        self._moved: set[str] = set()
        self._live: list[str] = []
        self._gone: list[str] = []

    def move(self, key: str) -> None:
        """Note, before it happens, that a key is written, deleted, or neither any more."""
        self._moved.add(key)

    def move_all(self, keys: Iterable[str]) -> None:
        """Like `move`, for many."""
        self._moved.update(keys)

    def below(self, prefix: str) -> tuple[list[str], list[str]]:
        """The keys with a prefix that are live, and those that are gone; both in order."""
        if self._moved:
            self._bring_up()
        return _slice(self._live, prefix), _slice(self._gone, prefix)

    def _bring_up(self) -> None:
        if len(self._moved) * _ONE_BY_ONE > len(self._live) + len(self._gone):
            self._sort()
        else:
            for key in self._moved:
                live = self._is_live(key)
                _put(self._live, key, live is True)
                _put(self._gone, key, live is False)
        self._moved.clear()

    def _sort(self) -> None:
        stand = {key: self._is_live(key) for key in self._moved}
        for keys, wanted in ((self._live, True), (self._gone, False)):
            stay = [key for key in keys if key not in stand]
            keys[:] = sorted([*stay, *(key for key, live in stand.items() if live is wanted)])


def holds(keys: list[str], key: str) -> bool:
    """Whether a sorted list holds a key."""
    place = bisect_left(keys, key)
    return place < len(keys) and keys[place] == key


def _put(keys: list[str], key: str, wanted: bool) -> None:
    """Have a key in a sorted list, or not."""
    place = bisect_left(keys, key)
    found = place < len(keys) and keys[place] == key
    if wanted and not found:
        keys.insert(place, key)
    elif found and not wanted:
        del keys[place]


def _slice(keys: list[str], prefix: str) -> list[str]:
    """The keys with a prefix: they stand together."""
    if not prefix:
        return keys[:]
    start = bisect_left(keys, prefix)
    end = bisect_right(keys, prefix, lo=start, key=lambda key: key[: len(prefix)])
    return keys[start:end]
