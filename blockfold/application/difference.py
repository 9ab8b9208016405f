"""What turns one state into another: two streams in key order, merged; any size, no memory."""

from __future__ import annotations

from collections.abc import Iterator

from blockfold.domain.canonical import Canonical
from blockfold.ports import Row, Write


def compare(
    target: Iterator[tuple[str, Canonical]], rows: Iterator[Row], number: int
) -> Iterator[tuple[str, Write | None]]:
    """Each key of either side, with the write that it needs, or None if it needs none.

    Args:
        target: The wanted state, in key order.
        rows: The table, in key order, tombstones included.
        number: The block that the writes belong to.
    """
    row = next(rows, None)
    for key, value in target:
        while row is not None and row.key < key:
            yield row.key, _without(row, number)
            row = next(rows, None)
        if row is None or row.key != key:
            yield key, Write(key, value, number, new=True)
            continue
        yield key, None if row.value == value else Write(key, value, number)
        row = next(rows, None)
    while row is not None:
        yield row.key, _without(row, number)
        row = next(rows, None)


def _without(row: Row, number: int) -> Write | None:
    return None if row.value is None else Write(row.key, None, number)
