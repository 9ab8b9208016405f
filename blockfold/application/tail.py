"""A machine as an executor holds it: its head, the changes not yet flushed, and known entries.

Everything known here is exact as of ``head``. An execution that read from it is validated by the
commit itself: if someone else committed meanwhile, our number is taken and the put fails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import itemgetter

from blockfold.application.counters import Counters, Gap
from blockfold.application.epoch import in_epoch
from blockfold.application.lost import check_reaches
from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.replay import check_link, contiguous
from blockfold.domain.spans import FIRST, last_with
from blockfold.domain.state import Changes
from blockfold.ports import BlockLog, Machines, Row, StateTable, Write

MAX_KNOWN_BYTES = 32 * 1024 * 1024
ENTRY_BYTES = 300
"""What Python takes for an entry beyond its characters and bytes, roughly."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the state table may lag, and how much is written to it at once.

    Attributes:
        writes: Pending writes above which no further block is committed.
        payload: Bytes of unflushed blocks above which no further block is committed.
        chunk: Most writes between two looks at the clock.
        chunk_payload: Bytes of keys and values after which a chunk takes no further write. A
            partition of DynamoDB stores about 1 MB a second.
        lag_blocks: Blocks that the table may lag on purpose, while there is a backlog. Who reads
            the state reads these blocks, too.
        lag_payload: Bytes of their bodies, likewise.
        lag_seconds: For how long, likewise.
    """

    writes: int = 20_000
    payload: int = 16 * 1024 * 1024
    chunk: int = 250
    chunk_payload: int = 1024 * 1024
    lag_blocks: int = 512
    lag_payload: int = 2 * 1024 * 1024
    lag_seconds: float = 10.0


class Tail:
    """The head of a machine and all that an execution on top of it needs; a `Source`.

    Attributes:
        head: The newest block, as far as known.
        flushed: Each key that a block up to this number changed has that change in the state
            table, or a later one pending.
        opened: The head when the tail was opened: someone else may have stored what is pending
            of the blocks up to it.
        registered: The machine has a record; one with blocks and without it has lost it.
        pending: Changes that are not flushed, one write a key, oldest block first.
        counters: How far the messages of idempotent producers were executed, as of the head.
        stale: A restore or fork block stands after ``flushed``, or more than the bounds allow:
            nothing here but the head is right until the state table has caught up and the tail
            was opened anew.
        known_bytes: Memory that the known entries take, roughly.
        unflushed_bytes: Size of the blocks after ``flushed``.
    """

    def __init__(self, head: Head, flushed: int, table: StateTable) -> None:
        self.head = head
        self.flushed = flushed
        self.opened = head.number
        self.registered = True
        self.pending: dict[str, Write] = {}
        self.counters = Counters(head.machine, table)
        self.stale = False
        self.known_bytes = 0
        self.unflushed_bytes = 0
        self._unflushed: deque[tuple[int, int]] = deque()
        self._lags_since: float | None = None
        self._table = table
        self._known: Changes = {}
        self._without_row: set[str] = set()

    @classmethod
    def open(
        cls,
        machine: str,
        log: BlockLog,
        table: StateTable,
        machines: Machines,
        bounds: Bounds | None = None,
    ) -> Tail:
        """Read a machine's head and unflushed blocks: ``flushed`` first, then the log.

        Stops reading when the bounds are exceeded; the tail is stale then.

        Raises:
            Corrupted: The log ends before what the state table holds, or has a gap behind it; or
                the table was lost.
        """
        record = machines.get(machine)
        newest = log.head(machine)
        head = newest.head if newest else Head(machine=machine)
        head = in_epoch(head, record)
        flushed = record.flushed if record else 0
        check_reaches(machine, head.number, flushed)
        if newest is not None and head.number == flushed:
            _check_table(newest, table)
        tail = cls(head, flushed, table)
        tail.registered = record is not None
        bounds = bounds or Bounds()
        for block in contiguous(machine, flushed, log.read(machine, flushed + 1, head.number)):
            if tail.is_full(bounds):
                tail.stale = True
                break
            tail._note(block)
        return tail

    @property
    def memory(self) -> int:
        """Bytes that the tail takes, roughly."""
        pending = ENTRY_BYTES * len(self.pending)
        return self.known_bytes + self.unflushed_bytes + pending + self.counters.memory

    @property
    def reached(self) -> int:
        """The block up to which no write of the state is pending.

        A key that such a block changed and a later one changed again may still have an older
        value in the table: its last write is pending, and readers lay that block over the table.
        """
        oldest = next(iter(self.pending.values()), None)
        return self.head.number if oldest is None else oldest.block - 1

    @property
    def settled(self) -> int:
        """The number that ``flushed`` may rise to: counters of blocks up to it are stored, too.

        Readers do not count blocks, and a counter is no value that a later block replaces.
        """
        oldest = self.counters.oldest
        return self.reached if oldest is None else min(self.reached, oldest - 1)

    def is_full(self, bounds: Bounds) -> bool:
        """Whether the state table must be brought up before another block is committed."""
        writes = len(self.pending) + len(self.counters)
        return writes > bounds.writes or self.unflushed_bytes > bounds.payload

    def may_lag(self, bounds: Bounds, now: float) -> bool:
        """Whether the state table may be left behind a little longer.

        Args:
            bounds: How far.
            now: The clock's ``monotonic``; the first call says when the lag began.
        """
        if self._lags_since is None:
            self._lags_since = now
        return (
            len(self._unflushed) <= bounds.lag_blocks
            and self.unflushed_bytes <= bounds.lag_payload
            and now - self._lags_since <= bounds.lag_seconds
        )

    def advance(self, block: Block) -> list[Gap]:
        """Go on to the next block, whoever committed it.

        Returns:
            What it shows to be missing of producers whose counters are known.

        Raises:
            Corrupted: The block does not follow the head.
        """
        check_link(self.head, block)
        gaps = self._note(block)
        self.head = block.head
        return gaps

    def follow(self, others: Iterable[Block], flushed: int) -> None:
        """Go on to where others brought the machine: what they stored is not pending here.

        Args:
            others: The blocks after the head, read after ``flushed`` was.
            flushed: What the machine's record says.

        Raises:
            Corrupted: The log ends before what the state table holds, or has a gap.
        """
        for block in others:
            self.advance(block)
        check_reaches(self.head.machine, self.head.number, flushed)
        self.opened = self.head.number
        self.settle([write for write in self.pending.values() if write.block <= flushed])
        self.counters.stored_by_others(flushed)
        self.rise(flushed)

    def oldest(self, bounds: Bounds) -> list[Write]:
        """The pending writes to store next: oldest block first, at most a chunk."""
        chunk: list[Write] = []
        size = 0
        for write in islice(self.pending.values(), bounds.chunk):
            chunk.append(write)
            size += len(write.key) + len(write.value or b"")
            if size >= bounds.chunk_payload:
                break
        return chunk

    def settle(self, writes: Iterable[Write]) -> None:
        """These writes are stored, or fenced off by later ones."""
        for write in writes:
            if self.pending.get(write.key) == write:
                del self.pending[write.key]
            self._without_row.discard(write.key)
            self._know(write.key, write.value)

    def rise(self, number: int) -> None:
        """``flushed`` was raised to a number, of a machine that may have been flushed further."""
        self.flushed = max(self.flushed, number)
        while self._unflushed and self._unflushed[0][0] <= self.flushed:
            self.unflushed_bytes -= self._unflushed.popleft()[1]
        if not self._unflushed:
            self._lags_since = None

    # -- Source ----------------------------------------------------------------------------

    def get(self, key: str) -> Canonical | None:
        """The value of a key at the head, or None."""
        if key in self.pending:
            return self.pending[key].value
        if key in self._known:
            return self._known[key]
        return self.fetch([key])[key]

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
            values.update(self.fetch(missing))
        return {key: value for key, value in values.items() if value is not None}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries at the head with the prefix and above ``after``, in key order."""
        pending = {
            key: write
            for key, write in self.pending.items()
            if key.startswith(prefix) and key > after
        }
        ours = sorted((key, write.value) for key, write in pending.items())
        theirs = (
            (row.key, row.value)
            for row in rows_with(self._table, self.head.machine, prefix, after)
            if row.key not in pending
        )
        for key, value in merge(ours, theirs, key=itemgetter(0)):
            if value is not None:
                yield key, value

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """Those keys that only the state table can tell of."""
        return [key for key in keys if key not in self.pending and key not in self._known]

    def fetch(self, keys: list[str]) -> Changes:
        """Read unknown keys from the state table, together, and remember them."""
        rows = self._table.get(self.head.machine, keys)
        values: Changes = {}
        for key in keys:
            row = rows.get(key)
            values[key] = row.value if row else None
            self._know(key, values[key])
            if row is None:
                self._without_row.add(key)
        return values

    # -- inside ------------------------------------------------------------------------------

    def _note(self, block: Block) -> list[Gap]:
        self.stale = self.stale or block.body.origin is not None
        size = len(block.payload)
        self._unflushed.append((block.number, size))
        self.unflushed_bytes += size
        for key, value in block.body.changes.items():
            before = self.pending.pop(key, None)  # behind the others: it is of the newest block
            new = before.new if before else key in self._without_row
            self.pending[key] = Write(key, value, block.number, new)
        return self.counters.note(block)

    def _know(self, key: str, value: Canonical | None) -> None:
        """Remember what the table would tell; all of that may be dropped at any time."""
        if key in self._known:
            self.known_bytes -= _entry_bytes(key, self._known.pop(key))
        self.known_bytes += _entry_bytes(key, value)
        if self.known_bytes > MAX_KNOWN_BYTES:
            self._known.clear()
            self._without_row.clear()
            self.known_bytes = _entry_bytes(key, value)
        self._known[key] = value


def rows_with(table: StateTable, machine: str, prefix: str, after: str = FIRST) -> Iterator[Row]:
    """Rows whose key starts with the prefix and is above ``after``, in key order.

    Those up to ``after`` are not read. Tombstones are among them.
    """
    if after < prefix or after == FIRST:
        return table.scan(machine, prefix)
    if not after.startswith(prefix):
        return iter(())
    return table.between(machine, after, last_with(prefix))


def _entry_bytes(key: str, value: Canonical | None) -> int:
    return len(key) + len(value or b"") + ENTRY_BYTES


def _check_table(newest: Block, table: StateTable) -> None:
    """Look for one key that the newest block set: is the table there that `flushed` speaks of?

    Raises:
        Corrupted: It is not. Executing on would take every key for absent.
    """
    key = next(iter(newest.body.set), None)
    if key is None:
        return
    row = table.get(newest.machine, [key]).get(key)
    if row is None or row.block < newest.number:
        raise Corrupted(
            f"the state table of machine {newest.machine!r} lacks key {key!r} of block "
            f"{newest.number}: rows were lost",
            hint=f"`blockfold rebuild {newest.machine}` puts them back; or remove the attribute "
            "flushed of its item in the Machines table: the next action rebuilds the state from "
            "the log",
        )
