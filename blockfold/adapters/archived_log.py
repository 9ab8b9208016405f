"""The whole log: what the Blocks table still has, and the archive for what it has not."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from itertools import islice
from threading import Lock

from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted
from blockfold.domain.segments import Piece, Segment, cover, follows
from blockfold.ports import Archive, BlockLog

LISTING_SECONDS = 60.0
"""How long a listing is used. A block leaves the table a day after it was archived at the earliest,
so a listing of that age knows every segment that a reader needs; a miss asks again all the same."""

LISTINGS = 16
"""Machines whose listing is kept."""

CACHE_BYTES = 24 * 1024 * 1024
"""Bodies of blocks that are kept unpacked: three full segments. A larger segment is not kept."""


class ArchivedBlockLog:
    """A `BlockLog` whose old blocks may stand in the archive only.

    Every block that the table has comes from there. What it lacks at or below its head comes from
    the archive, verified; nothing above the head does, for that might be another epoch's.

    Args:
        live: The Blocks table.
        archive: The archive.
        monotonic: Seconds since some fixed moment.
    """

    def __init__(
        self, live: BlockLog, archive: Archive, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._live = live
        self._segments = _Segments(archive, monotonic)

    def append(self, block: Block) -> None:
        """See `BlockLog.append`."""
        self._live.append(block)

    def head(self, machine: str) -> Block | None:
        """See `BlockLog.head`: the newest block is never pruned."""
        return self._live.head(machine)

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        """See `BlockLog.expire`."""
        self._live.expire(machine, first, last, time)

    def get(self, machine: str, number: int) -> Block | None:
        """See `BlockLog.get`.

        Raises:
            Corrupted: It stands in a damaged segment only.
        """
        block = self._live.get(machine, number)
        if block is not None or number < 1:
            return block
        newest = self._live.head(machine)
        if newest is None or number >= newest.number:
            return None
        return next(self._segments.read(machine, number, number), None)

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """See `BlockLog.read`. Segments are fetched one after the other, as the caller goes on.

        Raises:
            Corrupted: Blocks stand in a damaged segment only, or the archive contradicts the table.
        """
        position = max(first, 1)
        for block in self._filled(machine, position, self._live.read(machine, position, last)):
            yield block
            position = block.number + 1
        if last is None or position > last:
            return
        newest = self._live.head(machine)
        if newest is None or newest.number < position:
            return
        # All of these were committed before: what the table does not have now was pruned.
        last = min(last, newest.number)
        yield from self._filled(machine, position, self._live.read(machine, position, last), last)

    def _filled(
        self, machine: str, position: int, live: Iterable[Block], last: int | None = None
    ) -> Iterator[Block]:
        """Blocks of the table with its holes filled, up to its last one or to ``last``."""
        before: Block | None = None
        for block in live:
            if block.number > position:
                for archived in self._segments.read(machine, position, block.number - 1):
                    yield _after(before, archived)
                    before = archived
                _after(before, block)
            yield block
            before = block
            position = block.number + 1
        if last is not None and position <= last:
            for archived in self._segments.read(machine, position, last):
                yield _after(before, archived)
                before = archived


class _Segments:
    """Blocks of the archive by number; keeps listings and the last segments that were read."""

    def __init__(self, archive: Archive, monotonic: Callable[[], float]) -> None:
        self._archive = archive
        self._monotonic = monotonic
        self._listings: OrderedDict[str, tuple[float, list[Segment]]] = OrderedDict()
        self._unpacked: OrderedDict[str, tuple[int, list[Block]]] = OrderedDict()
        self._lock = Lock()

    def read(self, machine: str, first: int, last: int) -> Iterator[Block]:
        """Blocks of a range in order, those that the archive has.

        A segment that is damaged or gone is passed over where others hold the same blocks.

        Raises:
            Corrupted: No sound segment holds a block that a damaged one should hold.
        """
        listing = self._listing(machine)
        damaged: set[str] = set()
        fresh = False
        position = first
        while position <= last:
            for piece in cover(listing, position, last, without=damaged):
                if piece.first > position and not fresh:
                    break  # a hole, as far as an old listing knows
                try:
                    blocks = self._blocks(piece.segment)
                except Corrupted:
                    if fresh:
                        damaged.add(piece.segment.key)
                        if not _held(listing, damaged, piece.first):
                            raise
                    break
                for block in islice(blocks, piece.first - piece.segment.first, _end(piece)):
                    yield copy(block)  # decoded bodies must not gather in the cache
                position, fresh = piece.last + 1, False
            else:
                if fresh or position > last:
                    return
            if not fresh:
                listing, fresh = self._listed(machine), True

    def _listing(self, machine: str) -> list[Segment]:
        with self._lock:
            at, listing = self._listings.get(machine, (0.0, None))
        if listing is None or self._monotonic() - at > LISTING_SECONDS:
            return self._listed(machine)
        return listing

    def _listed(self, machine: str) -> list[Segment]:
        at = self._monotonic()
        listing = self._archive.segments(machine)
        with self._lock:
            self._listings[machine] = at, listing
            self._listings.move_to_end(machine)
            while len(self._listings) > LISTINGS:
                self._listings.popitem(last=False)
        return listing

    def _blocks(self, segment: Segment) -> list[Block]:
        """All blocks of a segment, verified."""
        with self._lock:
            if segment.key in self._unpacked:
                self._unpacked.move_to_end(segment.key)
                return self._unpacked[segment.key][1]
        blocks = list(self._archive.read(segment))
        size = sum(len(block.payload) for block in blocks)
        with self._lock:
            if size <= CACHE_BYTES:
                self._unpacked[segment.key] = size, blocks
            while sum(size for size, _ in self._unpacked.values()) > CACHE_BYTES:
                self._unpacked.popitem(last=False)
        return blocks


def _after(before: Block | None, block: Block) -> Block:
    """The block, if it does not contradict the one before it.

    Raises:
        Corrupted: It has the next number and another parent.
    """
    if before is not None and block.number == before.number + 1 and not follows(before, block):
        raise Corrupted(
            f"block {block.number} of machine {block.machine!r} does not follow block "
            f"{before.number}: archive and Blocks table contradict each other"
        )
    return block


def _held(listing: Iterable[Segment], damaged: set[str], number: int) -> bool:
    """Whether another segment holds a block."""
    return next(cover(listing, number, number, without=damaged), None) is not None


def _end(piece: Piece) -> int:
    return piece.last - piece.segment.first + 1
