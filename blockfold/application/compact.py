"""Certify what stands in the archive, heal what is missing there, and merge small segments.

Segments are written by the archiver as the stream brings blocks, and nobody has read them back. A
compaction reads on from the watermark ``archived``, holds each segment against its parent and
against the log, and only then raises the watermark: what is at or below it may leave the table.

What happens if the process dies: after a segment was healed or merged, the next compaction finds
it; before the watermark was raised, it reads the same blocks again. Two at once do the same work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from blockfold.application.certify import Certifying
from blockfold.application.dump import in_turn
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.side_by_side import HEAVY, sweep
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError, Corrupted, NotFound
from blockfold.domain.levels import merged
from blockfold.domain.segments import Piece, cover
from blockfold.ports import Archive, BlockLog, Clock, MachineRecord, Machines

FULL_BYTES = 1024 * 1024
"""Packed bytes from which a segment is never merged again."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction found and did.

    Attributes:
        machine: The machine's id.
        archived: The watermark: all blocks up to it stand in the archive, and were read there.
        segments: How many segments a reader of all these takes.
        healed: Blocks that were missing or damaged in the archive and were written from elsewhere.
        trouble: What is damaged or missing at or below the watermark and could not be healed.
    """

    machine: str
    archived: int
    segments: int
    healed: int = 0
    trouble: tuple[str, ...] = ()


@dataclass(slots=True)
class Sweep:
    """What a sweep over all machines did.

    Attributes:
        done: The compactions.
        failed: The errors of the machines whose compaction failed.
    """

    done: list[Compaction] = field(default_factory=list)
    failed: list[BlockfoldError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Compactor:
    """Keeps the archive whole and its segments few.

    Attributes:
        log: The Blocks table by itself: what the archive is held against and healed from.
        archive: The archive.
        machines: The register, with the watermarks.
        clock: Time.
        kept: Where copies of the settings are kept; None keeps none.
    """

    log: BlockLog
    archive: Archive
    machines: Machines
    clock: Clock
    kept: KeptSettings | None = None

    def compact(self, machine: str, *, deadline: float, upto_head: bool = False) -> Compaction:
        """Bring a machine's archive, and then its watermark, as far as possible.

        Args:
            machine: The machine's id.
            deadline: When to stop, by the clock's ``monotonic``; the next one goes on there.
            upto_head: Archive all blocks up to the head, also those that the archiver has yet to
                ship.

        Raises:
            NotFound: There is no such machine.
            Corrupted: A block is neither in the archive nor in the table, or the two contradict
                each other. The watermark stands right below it.
        """
        record = self.machines.get(machine)
        if record is None:
            raise NotFound(f"there is no machine {machine!r}", hint="its first action makes it")
        work = Certifying(
            log=self.log,
            archive=self.archive,
            clock=self.clock,
            machine=machine,
            archived=record.archived,
            head=self.log.head(machine),
            deadline=deadline,
            upto_head=upto_head,
            listing=self.archive.segments(machine),
        )
        work.fill_below()
        # Before the watermark rises: whoever dies between leaves nothing that the next one skips.
        if self.kept is not None and work.head is not None and work.head.number > work.archived:
            self.kept.keep(record)
        self._advance(work)
        pieces = cover(work.listing, 1, work.archived, without=work.passed)
        return Compaction(
            machine=machine,
            archived=work.archived,
            segments=sum(1 for _ in pieces),
            healed=work.healed,
            trouble=tuple(work.trouble),
        )

    def sweep(self, *, deadline: float) -> Sweep:
        """Compact the archive of every machine with blocks above its watermark; several at once.

        Of the others, only the copies of settings are looked at: whoever changed some may have
        died before making one.
        """
        heavy = BoundedSemaphore(HEAVY)

        def turn(record: MachineRecord) -> Compaction | None:
            head = self.log.head(record.machine)
            if head is not None and head.number > record.archived:
                with heavy:
                    in_time = self.clock.monotonic() < deadline
                    return self.compact(record.machine, deadline=deadline) if in_time else None
            if self.kept is not None and record.revision:
                self.kept.keep(record)
            return None

        records = in_turn(self.machines.list(), self.clock.now())
        swept = sweep(records, turn, self.clock, deadline=deadline)
        return Sweep([each for each in swept.done.values() if each is not None], swept.failed)

    def _advance(self, work: Certifying) -> None:
        """Raise the watermark over what is certified, megabyte by megabyte, merging before that."""
        last: Piece | None = None
        size = 0
        try:
            for piece in work.certified():
                full = piece.segment.bytes >= FULL_BYTES
                if last is not None and (full or piece.segment.epoch != last.segment.epoch):
                    self._settle(work, last.last)
                    size = 0
                last = piece
                size += piece.segment.bytes
                if size >= FULL_BYTES:
                    self._settle(work, piece.last)
                    last, size = None, 0
        except BlockfoldError:
            if last is not None:
                self._settle(work, last.last)
            raise
        if last is not None:
            self._settle(work, last.last)

    def _settle(self, work: Certifying, number: int) -> None:
        """Merge the segments up to a block and raise the watermark to it."""
        self._merge(work, number)
        self.machines.raise_watermark(work.machine, "archived", number)
        work.archived = number

    def _merge(self, work: Certifying, number: int) -> None:
        """Make one of the segments above the watermark and of as many below it as is worth it."""
        tail = _small_tail(work, number)
        new = [piece for piece in tail if piece.last > work.archived]
        old = tail[: len(tail) - len(new)]
        if not new:
            return
        sizes = [piece.segment.bytes for piece in old]
        count = merged([*sizes, sum(piece.segment.bytes for piece in new)]) - 1
        chosen = [*self._sound(work, old[len(old) - count :]), *new]
        if len(chosen) < 2:  # noqa: PLR2004 - one by itself has nothing to be merged with
            return
        before = {segment.key for segment in work.listing}
        try:
            written = self.archive.write(_blocks(self.archive, chosen))
        except Corrupted:
            if any(work.is_superseded(piece.segment) for piece in chosen):
                return  # someone else merged them, and a pruner was here since
            raise
        for segment in written:
            if segment.key not in before:
                for _ in self.archive.read(segment):
                    pass
                work.listing.append(segment)

    def _sound(self, work: Certifying, pieces: list[Piece]) -> list[Piece]:
        """The last of some pieces that can be read, whose segments were certified long ago."""
        for position in reversed(range(len(pieces))):
            segment = pieces[position].segment
            try:
                for _ in self.archive.read(segment):
                    pass
            except Corrupted as error:
                if not work.mend(segment, error):
                    return pieces[position + 1 :]
        return pieces


def _small_tail(work: Certifying, number: int) -> list[Piece]:
    """The last pieces up to a block that may become one segment, of bounded size."""
    tail: list[Piece] = []
    size = 0
    for piece in reversed([*cover(work.listing, 1, number, without=work.passed)]):
        if piece.segment.bytes >= FULL_BYTES:
            break
        if tail and (
            piece.last + 1 != tail[-1].first or piece.segment.epoch != tail[-1].segment.epoch
        ):
            break
        if piece.last <= work.archived:
            size += piece.segment.bytes
            if size > FULL_BYTES:
                break
        tail.append(piece)
    return tail[::-1]


def _blocks(archive: Archive, pieces: list[Piece]) -> Iterator[Block]:
    for piece in pieces:
        for block in archive.read(piece.segment):
            if piece.first <= block.number <= piece.last:
                yield block
