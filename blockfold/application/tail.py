"""A machine as an executor holds it: its head, the changes not yet flushed, and known entries.

Everything known here is exact as of ``head``. An execution that read from it is validated by the
commit itself: if someone else committed meanwhile, our number is taken and the put fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from operator import itemgetter

from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.replay import check_link, contiguous
from blockfold.domain.state import Changes
from blockfold.ports import BlockLog, Machines, StateTable, Write

MAX_KNOWN_BYTES = 32 * 1024 * 1024
ENTRY_BYTES = 300
"""What Python takes for an entry beyond its characters and bytes, roughly."""


class Tail:
    """The head of a machine and all that an execution on top of it needs; a `Source`.

    Attributes:
        head: The newest block, as far as known.
        flushed: All blocks up to this number stand in the state table.
        pending: Changes of the blocks after ``flushed``, one write a key.
        stale: A restore or fork block stands after ``flushed``: nothing here but the head is
            right until the state table has caught up and the tail was opened anew.
        known_bytes: Memory that the known entries take, roughly.
    """

    def __init__(self, head: Head, flushed: int, table: StateTable) -> None:
        self.head = head
        self.flushed = flushed
        self.pending: dict[str, Write] = {}
        self.stale = False
        self.known_bytes = 0
        self._table = table
        self._known: Changes = {}
        self._without_row: set[str] = set()

    @classmethod
    def open(cls, machine: str, log: BlockLog, table: StateTable, machines: Machines) -> Tail:
        """Read a machine's head and unflushed blocks: ``flushed`` first, then the log.

        Raises:
            Corrupted: The log ends before what the state table holds, or has a gap behind it.
        """
        record = machines.get(machine)
        newest = log.head(machine)
        head = newest.head if newest else Head(machine=machine)
        flushed = record.flushed if record else 0
        if head.number < flushed:
            raise Corrupted(
                f"the log of machine {machine!r} ends at block {head.number}, but its state table "
                f"holds block {flushed}",
                hint="blocks were lost: restore the Blocks table before sending more actions",
            )
        tail = cls(head, flushed, table)
        for block in contiguous(machine, flushed, log.read(machine, flushed + 1, head.number)):
            tail._note(block)
        return tail

    def advance(self, block: Block) -> None:
        """Go on to the next block, whoever committed it.

        Raises:
            Corrupted: The block does not follow the head.
        """
        check_link(self.head, block)
        self._note(block)
        self.head = block.head

    def writes(self) -> list[Write]:
        """What must be written to flush up to the head."""
        return list(self.pending.values())

    def settle(self) -> None:
        """All pending writes are stored."""
        settled, self.pending = self.pending, {}
        self._without_row.difference_update(settled)
        for write in settled.values():
            self._know(write.key, write.value)
        self.flushed = self.head.number

    # -- Source ----------------------------------------------------------------------------

    def get(self, key: str) -> Canonical | None:
        """The value of a key at the head, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values at the head of those keys that exist."""
        values: Changes = {}
        missing: list[str] = []
        for key in keys:
            if key in self.pending:
                values[key] = self.pending[key].value
            elif key in self._known:
                values[key] = self._known[key]
            else:
                missing.append(key)
        if missing:
            values.update(self._fetch(missing))
        return {key: value for key, value in values.items() if value is not None}

    def scan(self, prefix: str) -> Iterator[tuple[str, Canonical]]:
        """Entries at the head whose key starts with the prefix, in key order."""
        pending = {key: write for key, write in self.pending.items() if key.startswith(prefix)}
        ours = sorted((key, write.value) for key, write in pending.items())
        theirs = (
            (row.key, row.value)
            for row in self._table.scan(self.head.machine, prefix)
            if row.key not in pending
        )
        for key, value in merge(ours, theirs, key=itemgetter(0)):
            if value is not None:
                yield key, value

    # -- inside ------------------------------------------------------------------------------

    def _fetch(self, keys: list[str]) -> Changes:
        rows = self._table.get(self.head.machine, keys)
        values: Changes = {}
        for key in keys:
            row = rows.get(key)
            values[key] = row.value if row else None
            self._know(key, values[key])
            if row is None:
                self._without_row.add(key)
        return values

    def _note(self, block: Block) -> None:
        self.stale = self.stale or block.body.origin is not None
        for key, value in block.body.changes.items():
            before = self.pending.get(key)
            new = before.new if before else key in self._without_row
            self.pending[key] = Write(key, value, block.number, new)

    def _know(self, key: str, value: Canonical | None) -> None:
        """Remember what the table would tell; all of that may be dropped at any time."""
        self.known_bytes += len(key) + len(value or b"") + ENTRY_BYTES
        if self.known_bytes > MAX_KNOWN_BYTES:
            self._known.clear()
            self._without_row.clear()
            self.known_bytes = 0
        self._known[key] = value
