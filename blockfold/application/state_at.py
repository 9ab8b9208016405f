"""The state right after one block, read key by key: what an application holds while it works.

It stays the state of that block for as long as it is held, whatever is committed meanwhile.
At the head it is read from the state table, over which lies what the log has beyond it; a row that
a later block has written since, and any block of the past, are read from snapshot and log.
Nothing here runs user code or writes anything: a process that dies in it leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from blockfold.application.frames import PastSource
from blockfold.application.history import History
from blockfold.application.lost import check_reaches
from blockfold.application.read import Reader
from blockfold.application.tail import rows_with
from blockfold.application.travel import overlaid
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.digest import EMPTY, digest_of
from blockfold.domain.replay import contiguous
from blockfold.domain.spans import FIRST
from blockfold.domain.state import Changes
from blockfold.ports import Clock, Row

TRUSTED_SECONDS = 12 * 60 * 60
"""How long a row that is missing is taken for a key that was not there when the state was opened:
far below the 7 days for which a deletion leaves its tombstone."""

ROWS = 64
"""Rows of a scan that are looked through at once for those that were written since."""


@dataclass(frozen=True)
class StateAt:
    """A machine's state right after one block; a `Source`.

    Attributes:
        reader: Reads the machine.
        machine: The machine's id.
        number: The block; 0 is the empty state before the first.
        live: What the table stands for, if the block was the head when this was opened.
    """

    reader: Reader
    machine: str
    number: int
    live: Live | None = None

    @cached_property
    def digest(self) -> str:
        """The digest of the whole state.

        Raises:
            NotFound: The block is not there any more.
        """
        if self.live is not None:
            return self.live.head.digest
        if self.number == 0:
            return digest_of(EMPTY)
        return self.reader.block(self.machine, self.number).header.digest

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        live = self._live
        if live is None:
            return self._past.get_many(keys)
        changes = live.changes
        found: Changes = {key: changes[key] for key in keys if key in changes}
        if asked := [key for key in keys if key not in changes]:
            rows = self.reader.table.get(self.machine, asked)
            found.update((row.key, row.value) for row in rows.values() if self._stands(row))
            moved = [row.key for row in rows.values() if not self._stands(row)]
            found.update(self._past.get_many(moved) if moved else {})
        each = ((key, found.get(key)) for key in keys)
        return {key: value for key, value in each if value is not None}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        live = self._live
        if live is None:
            return self._past.scan(prefix, after)
        rows = rows_with(self.reader.table, self.machine, prefix, after)
        found = overlaid(self._standing(rows, live.changes), live.changes, prefix)
        return (entry for entry in found if entry[0] > after)

    @property
    def _live(self) -> Live | None:
        """What the table stands for, while it can be told from it."""
        live = self.live
        if live is None or live.clock.monotonic() - live.opened > TRUSTED_SECONDS:
            return None
        return live

    @cached_property
    def _past(self) -> PastSource:
        """The same state from snapshot and log."""
        history = History(self.reader.log, self.reader.snapshots)
        delta = history.since(self.machine, self.number)
        history.forward(delta, self.number)
        return PastSource(delta)

    def _stands(self, row: Row) -> bool:
        """Whether no later block has written a row: the table had its value then."""
        return row.block <= self.number

    def _standing(self, rows: Iterator[Row], changes: Changes) -> Iterator[tuple[str, Canonical]]:
        while chunk := list(islice(rows, ROWS)):
            moved = [row.key for row in chunk if not self._stands(row) and row.key not in changes]
            past = self._past.get_many(moved) if moved else {}
            for row in chunk:
                value = row.value if self._stands(row) else past.get(row.key)
                if value is not None:
                    yield row.key, value


@dataclass(frozen=True, slots=True)
class Live:
    """What makes the state of a head out of the state table.

    Attributes:
        head: The head.
        changes: What its blocks changed that the table need not hold yet.
        clock: Time.
        opened: When it was read, by the clock's `monotonic`.
    """

    head: Head
    changes: Changes
    clock: Clock
    opened: float


def at_head(reader: Reader, machine: str, clock: Clock) -> StateAt:
    """The state at the head of now.

    Reads ``flushed``, then the head, then the blocks between: with them any row that is read
    later tells the state of that head, unless a later block wrote it.

    Raises:
        NotFound: There is no such machine.
        Corrupted: The log has a gap, or ends before what the state table holds.
    """
    opened = clock.monotonic()
    record = reader.machines.get(machine)
    flushed = record.flushed if record else 0
    head = reader.head(machine)
    check_reaches(machine, head.number, flushed)
    changes: Changes = {}
    for block in contiguous(machine, flushed, reader.log.read(machine, flushed + 1, head.number)):
        if block.body.origin is not None:  # the table may be anywhere between two states
            return StateAt(reader, machine, head.number)
        changes.update(block.body.changes)
    return StateAt(reader, machine, head.number, Live(head, changes, clock, opened))
