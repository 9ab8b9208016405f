"""The counters of producers as the log alone tells them: to put their rows back, or to check them.

What happens if the process dies while rows are put back: some are there. The same again finds them
and writes the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from blockfold.application.counters import Known, partition_of
from blockfold.domain.block import Block
from blockfold.domain.counters import counts_in
from blockfold.ports import Eraser, Row, StateTable, Write

CHUNK = 500
"""Rows written at once."""


class CounterFold:
    """What the counters are after the blocks noted, from the first on."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def note(self, block: Block) -> list[Row]:
        """Count the next block; the rows that it leads to."""
        counts = counts_in(block)
        for producer, each in counts.items():
            self._known.setdefault(producer, Known()).count(block.number, each)
        return [self._row(producer) for producer in counts]

    def rows(self) -> Iterator[Row]:
        """The rows that the State table should have, in key order."""
        return (self._row(producer) for producer in sorted(self._known))

    def _row(self, producer: str) -> Row:
        known = self._known[producer]
        return Row(producer, known.counter.encoded(), known.block)


def nothing() -> None:
    """A look at the clock that sees no end of time."""


def put_back(
    table: StateTable,
    eraser: Eraser,
    machine: str,
    fold: CounterFold,
    look: Callable[[], None] = nothing,
) -> tuple[int, int]:
    """Give a machine the rows that its log leads to; nothing else may work on it meanwhile.

    Rows of blocks that are lost would be fenced off against right ones: all are erased then.

    Args:
        table: The State table.
        eraser: Deletes rows.
        machine: The machine's id.
        fold: Its whole log.
        look: Called before each chunk: it may raise, to stop.

    Returns:
        How many were written, and how many erased.

    Raises:
        Unavailable: A service failed; some rows may be back.
    """
    partition = partition_of(machine)
    wanted = {row.key: row for row in fold.rows()}
    stored = {row.key: row for row in table.scan(partition)}
    erased = 0
    if any(_contradicts(row, wanted.get(row.key)) for row in stored.values()):
        erased, stored = eraser.erase_state(partition), {}
    missing = (row for row in wanted.values() if stored.get(row.key) != row)
    written = 0
    while chunk := [*islice(missing, CHUNK)]:
        writes = [Write(row.key, row.value, row.block, row.key not in stored) for row in chunk]
        look()
        table.write(partition, writes)
        written += len(chunk)
    return written, erased


def _contradicts(stored: Row, wanted: Row | None) -> bool:
    """Whether a row is of no block of the log; an older one is overwritten."""
    if wanted is None or stored.block > wanted.block:
        return True
    return stored.block == wanted.block and stored.value != wanted.value


class CounterCheck:
    """Holds stored rows against the log, block by block.

    Args:
        rows: The rows, read after ``flushed`` and before the log.
        flushed: The block up to which all must be stored; rows may be newer.
    """

    def __init__(self, rows: Iterable[Row], flushed: int) -> None:
        self._rows = {row.key: row for row in rows}
        self._flushed = flushed
        self._fold = CounterFold()
        self._met: set[str] = set()
        self._due: dict[str, int] = {}
        self._wrong: list[str] = []

    def note(self, block: Block) -> None:
        """Go on by one block."""
        for wanted in self._fold.note(block):
            if block.number <= self._flushed:
                self._due[wanted.key] = block.number
            stored = self._rows.get(wanted.key)
            if stored is None or stored.block != block.number:
                continue
            self._met.add(wanted.key)
            if stored.value != wanted.value:
                self._wrong.append(
                    f"the counter of producer {wanted.key!r} is {_shown(stored)}, the log up to "
                    f"block {block.number} makes it {_shown(wanted)}"
                )

    def findings(self) -> list[str]:
        """What disagrees, when all blocks were noted."""
        found = list(self._wrong)
        for producer, row in self._rows.items():
            if producer not in self._met:
                found.append(
                    f"the counter of producer {producer!r} comes from block {row.block}, which "
                    "has nothing of that producer"
                )
        for producer, number in self._due.items():
            stored = self._rows.get(producer)
            if stored is None:
                found.append(
                    f"the counter of producer {producer!r} of block {number} is missing in the "
                    "state table"
                )
            elif producer in self._met and stored.block < number:
                found.append(
                    f"the counter of producer {producer!r} comes from block {stored.block}, last "
                    f"counted by block {number}"
                )
        return sorted(found)


def _shown(row: Row) -> str:
    return "deleted" if row.value is None else row.value.decode()
