"""Follow a machine's archive from its watermark, segment by segment, and heal what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from blockfold.domain.block import NO_HASH, Block
from blockfold.domain.errors import Corrupted
from blockfold.domain.segments import Piece, Segment, cover, gaps, linked
from blockfold.ports import Archive, BlockLog, Clock

PATIENCE = 15 * 60 * 1000
"""Milliseconds after which a block at the top is missing in the archive, not under way. The
archiver's window is 5 minutes at most. It is alive while it ships other blocks of the machine:
after an outage of the executor, blocks are old when they are committed."""


@dataclass(slots=True, kw_only=True)
class Certifying:
    """One walk along a machine's archive.

    Attributes:
        log: The Blocks table by itself.
        archive: The archive.
        clock: Time.
        machine: The machine's id.
        archived: The watermark.
        head: The newest block, or None.
        deadline: When to stop, by the clock's ``monotonic``.
        upto_head: Write all blocks that are not archived yet, however young.
        listing: The machine's segments, also those written meanwhile.
        passed: Keys of those that are of no use.
        healed: Blocks that were missing or damaged and were written.
        trouble: What could not be healed.
    """

    log: BlockLog
    archive: Archive
    clock: Clock
    machine: str
    archived: int
    head: Block | None
    deadline: float
    upto_head: bool
    listing: list[Segment]
    passed: set[str] = field(default_factory=set)
    healed: int = 0
    trouble: list[str] = field(default_factory=list)

    def certified(self) -> Iterator[Piece]:
        """What a reader takes above the watermark, each piece read and held against the log.

        Raises:
            Corrupted: A block is nowhere, or archive and log contradict each other.
        """
        if self.head is None:
            return
        position, last = self.archived + 1, self.head.number
        tip = self._tip()
        while position <= last:
            for piece in cover(self.listing, position, last, without=self.passed):
                if self._late():
                    return
                if piece.first > position:
                    self._fill(position, piece.first - 1, tip, below=True)
                    break
                found = self._checked(piece, tip)
                if found is None:
                    break
                tip = found
                yield piece
                position = piece.last + 1
            else:
                if position > last or self._late():
                    return
                if not self._fill(position, last, tip, below=False):
                    return

    def fill_below(self) -> None:
        """Heal what is missing below the watermark, as the listing says."""
        for first, last in list(gaps(self.listing, 1, self.archived)):
            if self._late():
                return
            blocks = _contiguous(self.log.read(self.machine, first, last), first)
            written = self.archive.write(blocks)
            for segment in written:
                for _ in self.archive.read(segment):
                    pass
            self.listing += written
            self.healed += sum(segment.blocks for segment in written)
        self.trouble += [
            f"blocks {first} to {last} are in no segment"
            for first, last in gaps(self.listing, 1, self.archived)
        ]

    def mend(self, segment: Segment, error: Corrupted) -> bool:
        """Write a damaged segment anew, from the table and other segments; whether that worked.

        If not, it is passed over from now on, and named as trouble; not if others took its place.
        """
        if self.is_superseded(segment):
            return False
        found = {
            block.number: block
            for block in self.log.read(self.machine, segment.first, segment.last)
        }
        without = {segment.key, *self.passed}
        for piece in cover(self.listing, segment.first, segment.last, without=without):
            if any(number not in found for number in range(piece.first, piece.last + 1)):
                self._collect(piece, found)
        blocks = [found[number] for number in sorted(found)]
        if linked(blocks, segment):
            self.archive.write(blocks, anew=True)
            try:
                for _ in self.archive.read(segment):
                    pass
            except Corrupted as again:
                error = again
            else:
                self.healed += segment.blocks
                return True
        self.passed.add(segment.key)
        self.trouble.append(error.message)
        return False

    def is_superseded(self, segment: Segment) -> bool:
        """Whether a segment was merged and deleted by others since it was listed.

        Those that hold its blocks now are listed then, and it is not.
        """
        listing = self.archive.segments(self.machine)
        there = any(each.key == segment.key for each in listing)
        if there or next(gaps(listing, segment.first, segment.last), None) is not None:
            return False
        self.listing[:] = listing
        return True

    def _checked(self, piece: Piece, tip: str | None) -> str | None:
        """The hash of a piece's last block; None if another piece has to be taken.

        Raises:
            Corrupted: It is sound by itself, but of another history than the log's.
        """
        parent = hash_ = ""
        try:
            for block in self.archive.read(piece.segment):
                if block.number == piece.first:
                    parent = block.header.parent
                if block.number == piece.last:
                    hash_ = block.hash
        except Corrupted as error:
            self.mend(piece.segment, error)
            return None
        live = self.log.get(self.machine, piece.last)
        if tip in {None, parent} and (live is None or live.hash == hash_):
            return hash_
        if self.head is not None and piece.segment.epoch < self.head.header.epoch:
            # Committed before a rebuild that did not know of it, and shipped after that.
            self.passed.add(piece.segment.key)
            return None
        raise Corrupted(
            f"the segment {piece.segment.key} and the Blocks table have different blocks "
            f"{piece.first} to {piece.last} of machine {self.machine!r}",
            hint="was the table set back to an older time without a rebuild? "
            "Move that object away if the table is right",
        )

    def _fill(self, first: int, last: int, tip: str | None, *, below: bool) -> bool:
        """Write blocks that no segment has from the table; whether there is something new.

        Args:
            first: The first of them.
            last: The last of them.
            tip: Hash of the block before, if it is known.
            below: A segment has later blocks, so these were lost on their way.

        Raises:
            Corrupted: The table does not have the first of them, or another one.
        """
        healed = 0
        young = False

        def blocks() -> Iterator[Block]:
            nonlocal healed, young
            for block in _contiguous(self.log.read(self.machine, first, last), first):
                if block.number == first and tip not in {None, block.header.parent}:
                    return
                missing = below or self._overdue(block)
                young = not missing and not self.upto_head
                if young or (block.number > first and self._late()):
                    return
                healed += missing
                yield block

        written = self.archive.write(blocks())
        if any(segment.key in self.passed for segment in written):
            raise Corrupted(f"the segment {written[0].key} was mended and is damaged again")
        self.listing += written
        if written and not any(cover(self.listing, first, first, without=self.passed)):
            raise Corrupted(
                f"block {first} of machine {self.machine!r} is of epoch {written[0].epoch}, which "
                "ended before it",
                hint="its record was lost after a rebuild: `blockfold rebuild` it",
            )
        self.healed += healed
        if not written and not young:
            raise Corrupted(
                f"block {first} of machine {self.machine!r} is not in its archive, and the Blocks "
                "table does not have it or has another one",
                hint="point-in-time recovery of the Blocks table may still have it",
            )
        return bool(written)

    def _collect(self, piece: Piece, found: dict[int, Block]) -> None:
        try:
            for block in self.archive.read(piece.segment):
                if piece.first <= block.number <= piece.last:
                    found.setdefault(block.number, block)
        except Corrupted:
            return  # what it gave was sound, and the whole is checked when it is complete

    def _tip(self) -> str | None:
        """Hash of the block at the watermark, or None if nobody can tell."""
        if self.archived == 0:
            return NO_HASH
        for piece in cover(self.listing, self.archived, self.archived):
            if piece.segment.last == self.archived:
                return piece.segment.hash
        block = self.log.get(self.machine, self.archived)
        return block.hash if block else None

    def _overdue(self, block: Block) -> bool:
        newest = max((segment.modified for segment in self.listing), default=0)
        return self.clock.now() - max(block.header.time, newest) > PATIENCE

    def _late(self) -> bool:
        return self.clock.monotonic() >= self.deadline


def _contiguous(blocks: Iterator[Block], first: int) -> Iterator[Block]:
    """Blocks from a number on, up to the first that is missing."""
    for number, block in enumerate(blocks, first):
        if block.number != number:
            return
        yield block
