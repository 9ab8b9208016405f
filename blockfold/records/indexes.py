"""Indexes of a record: entries of the same state that sort by something else than the key."""

from __future__ import annotations

from typing import ClassVar


class Index:
    """Sorts records by fields, within those that share others; use a subclass.

    Args:
        fields: What to sort by; equal ones are sorted by their keys. A record in which one of
            them is None is not in the index.
        within: Fields that are given when the index is read: one, or several.
    """

    descending: ClassVar[bool] = False

    def __init__(self, *fields: str, within: str | tuple[str, ...] = ()) -> None:
        self.fields = fields
        self.within = (within,) if isinstance(within, str) else within


class Ascending(Index):
    """Sorts the lowest first; see `Index`."""


class Descending(Index):
    """Sorts the highest first; numbers, booleans and moments can be sorted so. See `Index`."""

    descending = True
