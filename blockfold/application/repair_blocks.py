"""Heal the archive from the table, and bodies of large blocks from the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blockfold.application.certify import Certifying
from blockfold.application.inspect_bucket import Bucket, broken_blocks
from blockfold.application.repaired import Repaired
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import archive_prefix, bodies_prefix, body_key, parse_body_key
from blockfold.domain.segments import Segment, begun, cover, gaps
from blockfold.ports import BlockLog, Clock, MachineRecord

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class SoundBlocks:
    """A `BlockLog` to read from that passes over the blocks that cannot be read.

    Attributes:
        live: The Blocks table by itself.
        top: Its newest block's number.
    """

    live: BlockLog
    top: int

    def append(self, block: Block) -> None:
        """See `BlockLog.append`."""
        self.live.append(block)

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        """See `BlockLog.expire`."""
        self.live.expire(machine, first, last, time)

    def head(self, machine: str) -> Block | None:
        """The newest block that can be read."""
        for number in range(self.top, 0, -1):
            if (block := self.get(machine, number)) is not None:
                return block
        return None

    def get(self, machine: str, number: int) -> Block | None:
        """The block, or None if it is not there or cannot be read."""
        try:
            return self.live.get(machine, number)
        except Corrupted:
            return None

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """Those of a range that can be read, in order."""
        position, last = first, self.top if last is None else last
        try:
            for block in self.live.read(machine, first, last):
                yield block
                position = block.number + 1
        except Corrupted:
            for number in range(position, last + 1):
                if (found := self.get(machine, number)) is not None:
                    yield found


@dataclass(frozen=True, slots=True)
class BlockRepair:
    """Heals segments and bodies of one machine.

    Attributes:
        bucket: What is healed.
        clock: Time.
        record: What is kept of the machine.
        top: Its newest block's number.
        done: What was healed and lost.
    """

    bucket: Bucket
    clock: Clock
    record: MachineRecord
    top: int
    done: Repaired

    def archive(self) -> None:
        """Write damaged and missing segments again: from the table, or from others that overlap."""
        log = SoundBlocks(self.bucket.live, self.top)
        machine = self.record.machine
        work = Certifying(
            log=log,
            archive=self.bucket.archive,
            clock=self.clock,
            machine=machine,
            archived=self.record.archived,
            head=log.head(machine),
            deadline=NEVER,
            upto_head=False,
            listing=self.bucket.archive.segments(machine),
        )
        for segment in list(work.listing):
            try:
                for _ in self.bucket.archive.read(segment):
                    pass
            except Corrupted as error:
                self._segment(work, segment, error)
        work.listing = [each for each in work.listing if each.key not in work.passed]
        before = {segment.key for segment in work.listing}
        work.trouble.clear()
        work.fill_below()
        for segment in work.listing:
            if segment.key not in before:
                self.done.heal(segment.key, "written again from the table")
        for trouble in work.trouble:
            self.done.lose(archive_prefix(machine), trouble, PITR)

    def _segment(self, work: Certifying, segment: Segment, error: Corrupted) -> None:
        if not segment.blocks:
            self._mark(work, segment, error)
            return
        if work.mend(segment, error):
            self.done.heal(segment.key, "written again from the table or from other segments")
            return
        others = [each for each in work.listing if each.key not in work.passed]
        held = not any(True for _ in gaps(others, segment.first, segment.last))
        later = [begin for epoch, begin in begun(work.listing).items() if epoch > segment.epoch]
        if (held and all(map(self._reads, _within(others, segment)))) or (
            later and min(later) <= segment.first
        ):
            self.bucket.archive.delete([segment])
            self.done.heal(segment.key, "deleted: no reader takes it")
        else:
            self.done.lose(segment.key, error.message, PITR)

    def _mark(self, work: Certifying, segment: Segment, error: Corrupted) -> None:
        """Write again that an epoch begins; its name says all of it but the block below."""
        parent = work.log.get(segment.machine, segment.last) or self._archived(segment.last)
        if parent is None or parent.hash != segment.hash:
            self.done.lose(segment.key, error.message, "its name alone counts: it does no harm")
            return
        self.bucket.bodies.mark(segment)
        self.done.heal(segment.key, "written again")

    def bodies(self) -> None:
        """Put bodies back that the table names, and remove damaged ones that nobody names."""
        machine = self.record.machine
        lost = set()
        first = self.record.pruned + 1
        for number, error in list(broken_blocks(self.bucket.live, machine, first, self.top)):
            block = self._archived(number)
            key = "" if block is None else body_key(machine, number, block.header.body)
            if block is not None and key in error.message:
                self.bucket.bodies.store(block)
                self.done.heal(key, f"the body of block {number}, put back from the archive")
            else:
                lost.add(number)
                self.done.lose("", f"block {number}: {error.message}", PITR)
        for each in list(self.bucket.objects.list(bodies_prefix(machine))):
            parsed = parse_body_key(each.key)
            if parsed is None:
                continue
            try:
                self.bucket.bodies.check(each.key)
            except Corrupted as error:
                self._leftover(each.key, *parsed, error, lost)

    def _leftover(
        self, key: str, number: int, sha256: str, error: Corrupted, lost: set[int]
    ) -> None:
        """A damaged body that no block of the table needs."""
        block = self._archived(number)
        if block is not None and block.header.body == sha256:
            self.bucket.bodies.store(block)
            self.done.heal(key, f"the body of block {number}, put back from the archive")
        elif number in lost:
            self.done.lose(key, error.message, PITR)
        else:
            self.bucket.objects.delete([key])
            self.done.heal(key, "deleted: damaged, and no block names it")

    def _archived(self, number: int) -> Block | None:
        """A block as the archive has it, in whichever sound segment."""
        listing = self.bucket.archive.segments(self.record.machine)
        without: set[str] = set()
        while (piece := next(cover(listing, number, number, without=without), None)) is not None:
            try:
                blocks = list(self.bucket.archive.read(piece.segment))
            except Corrupted:
                without.add(piece.segment.key)
                continue
            return blocks[number - piece.segment.first]
        return None

    def _reads(self, segment: Segment) -> bool:
        try:
            for _ in self.bucket.archive.read(segment):
                pass
        except Corrupted:
            return False
        return True


PITR = "point-in-time recovery of the Blocks table, or a version of the object, may have it"


def _within(segments: list[Segment], segment: Segment) -> list[Segment]:
    """The segments that a reader takes instead of one."""
    return [piece.segment for piece in cover(segments, segment.first, segment.last)]
