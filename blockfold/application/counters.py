"""The counters of a machine's idempotent producers: known as of a block, stored beside its state.

A counter is what the records of messages in blocks add up to. Its row names the last block that it
counts, so that a block is never counted twice, whoever wrote the row. Rows are written before
``flushed`` rises over the blocks that they count; whoever opens the machine reads a row when its
producer sends something, and counts the blocks after ``flushed`` on top.

What happens if the process dies before a row is stored: ``flushed`` stands below the block, which
the next one reads and counts again. After it: the row names the block, which is not counted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

from blockfold.domain.action import Message
from blockfold.domain.block import Block
from blockfold.domain.counters import NONE, Counter, counts_in
from blockfold.ports import StateTable, Write

MOST_KNOWN = 10_000
"""Counters that are remembered of a machine; those that are stored can be read again."""

COUNTER_BYTES = 500
"""What Python takes for one, roughly."""


def partition_of(machine: str) -> str:
    """The partition of the State table for a machine's counters.

    No queue takes a group id with a space in it; a drill's scratch rows have one (`scratch_of`).
    """
    return f"{machine} producer counters"


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of a producer that left the queue without being executed.

    Attributes:
        producer: The producer's id.
        first: Its count of the first of them.
        last: Its count of the last.
    """

    producer: str
    first: int
    last: int

    def __str__(self) -> str:
        """In words."""
        return f"{self.producer}/{self.first} to {self.last}"


@dataclass(slots=True)
class Known:
    """A counter and what it counts.

    Attributes:
        counter: The counter.
        block: The last block that it counts; 0 if none.
        stored: The State table has a row of it.
    """

    counter: Counter = NONE
    block: int = 0
    stored: bool = False

    def count(self, number: int, counts: Iterable[int]) -> None:
        """Count what a block says of the producer, unless that was done."""
        if number > self.block:
            self.counter, self.block = self.counter.after_all(counts), number


class Counters:
    """The counters of a machine as of the newest block noted, and which of them are not stored.

    Args:
        machine: The machine's id.
        table: The State table.
    """

    def __init__(self, machine: str, table: StateTable) -> None:
        self._partition = partition_of(machine)
        self._table = table
        self._known: dict[str, Known] = {}
        self._unread: dict[str, dict[int, list[int]]] = {}
        self._pending: dict[str, int] = {}

    def __len__(self) -> int:
        """How many are not stored."""
        return len(self._pending)

    @property
    def memory(self) -> int:
        """Bytes that they take, roughly."""
        return COUNTER_BYTES * (len(self._known) + len(self._unread))

    @property
    def oldest(self) -> int | None:
        """The oldest block that counted for one that is not stored; None if all are."""
        return next(iter(self._pending.values()), None)

    def unknown(self, messages: Iterable[Message]) -> list[str]:
        """Producers of which only the State table can tell, each once."""
        names = dict.fromkeys(each.producer for each in messages if each.producer)
        return [name for name in names if name not in self._known]

    def read(self, producers: Collection[str]) -> None:
        """Read counters of unknown producers, together.

        Raises:
            Corrupted: A row holds no counter.
        """
        rows = self._table.get(self._partition, producers)
        for producer in producers:
            row = rows.get(producer)
            known = Known()
            if row is not None:
                known = Known(Counter.decoded(row.value), row.block, stored=True)
            for number, counts in self._unread.pop(producer, {}).items():
                known.count(number, counts)
            self._known[producer] = known

    def of(self, messages: Iterable[Message]) -> dict[str, Counter]:
        """The counters of those messages' producers, which are all known."""
        names = {each.producer for each in messages if each.producer}
        return {name: self._known[name].counter for name in names}

    def note(self, block: Block) -> list[Gap]:
        """Count the next block; what it shows to be missing, where that can be told."""
        gaps: list[Gap] = []
        for producer, counts in counts_in(block).items():
            known = self._known.get(producer)
            if known is not None and block.number <= known.block:
                continue  # its row was newer than the head
            self._pending.setdefault(producer, block.number)
            if known is None:
                self._unread.setdefault(producer, {})[block.number] = counts
            else:
                for count in counts:
                    if (gap := known.counter.gap_before(count)) is not None:
                        gaps.append(Gap(producer, *gap))
                    known.counter = known.counter.after(count)
                known.block = block.number
        return gaps

    def store(self, upto: int, most: int) -> None:
        """Store those that count a block up to a number, oldest first, at most so many.

        Raises:
            Unavailable: Some may not be stored; they stay pending.
        """
        due = (name for name, block in self._pending.items() if block <= upto)
        if not (names := [*islice(due, most)]):
            return
        if unknown := [name for name in names if name not in self._known]:
            self.read(unknown)
        self._table.write(self._partition, [self._write(name) for name in names])
        for name in names:
            self._known[name].stored = True
            del self._pending[name]
        if len(self._known) > MOST_KNOWN:
            self._known = {name: self._known[name] for name in self._known.keys() & self._pending}

    def stored_by_others(self, flushed: int) -> None:
        """Somebody else raised ``flushed``: what counts no block above it is stored."""
        for name in [name for name, block in self._pending.items() if block <= flushed]:
            known, unread = self._known.get(name), self._unread.get(name, {})
            if max(known.block if known else 0, *unread, 0) <= flushed:
                self._unread.pop(name, None)
                del self._pending[name]
                if known is not None:
                    known.stored = True

    def _write(self, producer: str) -> Write:
        known = self._known[producer]
        return Write(producer, known.counter.encoded(), known.block, new=not known.stored)
