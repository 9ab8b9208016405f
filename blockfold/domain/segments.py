"""Segments: runs of archived blocks, named so that a listing alone says what they hold.

Segments may overlap: batches of the stream are delivered again, cut otherwise, and small segments
are merged into larger ones beside them. `cover` says which of them a reader takes.

After a rebuild of the tables the machine's epoch is higher, and the blocks of an older epoch that
were committed above the rebuilt head are no part of its history, also if they were archived. So
where a segment of some epoch has begun, those of older epochs count no more. A rebuild says so at
once, by a segment without blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from blockfold.domain import digest
from blockfold.domain.block import FORMAT, Block, Header, payload_hash
from blockfold.domain.canonical import encode_raw
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import parsed_segment, segment_key


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A file of consecutive blocks.

    One without blocks, whose last is right below its first, says that its epoch begins there.

    Attributes:
        machine: The machine's id.
        first: Its first block.
        last: Its last block.
        epoch: The epoch of all its blocks.
        hash: Hash of its last block; of the block below if it has none.
        bytes: The object's size; 0 if unknown.
        modified: When it was stored, milliseconds since 1970 UTC; 0 if unknown.
    """

    machine: str
    first: int
    last: int
    epoch: int
    hash: str
    bytes: int = 0
    modified: int = 0

    @property
    def key(self) -> str:
        """Its object key: it names all but size and age."""
        return segment_key(self.machine, self.first, self.last, self.epoch, self.hash)

    @property
    def blocks(self) -> int:
        """How many blocks it has."""
        return self.last - self.first + 1

    @classmethod
    def named(cls, machine: str, key: str, size: int = 0, modified: int = 0) -> Segment | None:
        """The segment under a machine's object key, or None if the key names none."""
        if (found := parsed_segment(key)) is None:
            return None
        segment = cls(machine, *found, size, modified)
        return segment if segment.key == key else None


@dataclass(frozen=True, slots=True)
class Piece:
    """Blocks ``first`` … ``last`` of a segment."""

    segment: Segment
    first: int
    last: int


def cover(
    segments: Iterable[Segment],
    first: int,
    last: int | None = None,
    *,
    without: Collection[str] = (),
) -> Iterator[Piece]:
    """What a reader of a machine's blocks ``first`` … ``last`` takes from where.

    At each number the segment of the highest epoch that has begun, and of those the one that
    reaches farthest. Numbers that no such segment holds are left out.

    Args:
        segments: Segments of one machine, in any order.
        first: The first block.
        last: The last block; as far as there are segments if None.
        without: Keys of segments that are of no use. Their epoch has begun all the same.
    """
    waiting = sorted(segments)
    begins = begun(waiting)
    best: Segment | None = None
    epoch, position, seen = -1, first, 0
    while last is None or position <= last:
        while seen < len(waiting) and waiting[seen].first <= position:
            found = waiting[seen]
            seen += 1
            if found.epoch > epoch:
                epoch, best = found.epoch, None
            if found.epoch < epoch or (without and found.key in without):
                continue
            if best is None or found.last > best.last:
                best = found
        if best is None or best.last < position:
            if seen == len(waiting):
                return
            position = waiting[seen].first
            continue
        end = best.last if last is None else min(best.last, last)
        later = (begin - 1 for other, begin in begins.items() if other > epoch)
        piece = Piece(best, position, min([end, *later]))
        yield piece
        position = piece.last + 1


def gaps(segments: Iterable[Segment], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The ranges of blocks ``first`` … ``last`` that `cover` leaves out, each as first and last."""
    position = first
    for piece in cover(segments, first, last):
        if piece.first > position:
            yield position, piece.first - 1
        position = piece.last + 1
    if position <= last:
        yield position, last


def begun(segments: Iterable[Segment]) -> dict[int, int]:
    """Where each epoch begins: epoch → its first block. Epoch 0 begins with block 1."""
    begins: dict[int, int] = {}
    for segment in sorted(segments):
        begins.setdefault(segment.epoch, segment.first)
    return begins


def superseded(segments: Iterable[Segment], archived: int) -> list[Segment]:
    """The segments of a machine that no reader takes, because others hold all their blocks.

    Before they are deleted, what `cover` gives for their blocks has to be read: a merge may have
    died before it was read back. What an older epoch left behind is not named, nor where one began.

    Args:
        segments: All segments of one machine.
        archived: The machine's watermark; no segment above it is named, or taken instead of one.
    """
    whole = sorted(segments)
    pieces = list(cover(whole, 1))
    taken = {piece.segment for piece in pieces}
    found = []
    at = 0
    for segment in whole:
        while at < len(pieces) and pieces[at].last < segment.first:
            at += 1
        if segment in taken or segment.last > archived or not segment.blocks:
            continue
        held = sum(
            min(piece.last, segment.last) - max(piece.first, segment.first) + 1
            for piece in _until(pieces, at, segment.last)
            if piece.segment.epoch == segment.epoch and piece.segment.last <= archived
        )
        if held == segment.blocks:
            found.append(segment)
    return found


def runs(blocks: Iterable[Block]) -> list[list[Block]]:
    """Blocks of any machines, in any order and repeated, as runs of which each has a segment.

    A run is of one machine and epoch, and each block in it is the parent of the next.
    """
    by_hash = {block.hash: block for block in blocks}
    ordered = sorted(
        by_hash.values(), key=lambda each: (each.machine, each.header.epoch, each.number)
    )
    found: list[list[Block]] = []
    for block in ordered:
        if found and follows(found[-1][-1], block) and same_epoch(found[-1][-1], block):
            found[-1].append(block)
        else:
            found.append([block])
    return found


def follows(parent: Block, block: Block) -> bool:
    """Whether a block is the child of another."""
    return (
        block.machine == parent.machine
        and block.number == parent.number + 1
        and block.header.parent == parent.hash
        and block.header.epoch >= parent.header.epoch
    )


def same_epoch(one: Block, other: Block) -> bool:
    """Whether two blocks may stand in one segment."""
    return one.header.epoch == other.header.epoch


def linked(blocks: list[Block], segment: Segment) -> bool:
    """Whether blocks are all those of a segment, in order."""
    return (
        len(blocks) == segment.blocks
        and blocks[0].number == segment.first
        and blocks[-1].hash == segment.hash
        and all(follows(*pair) for pair in pairwise(blocks))
    )


# -- the lines -----------------------------------------------------------------------------------


class _Line(msgspec.Struct, frozen=True):
    """A line of a segment."""

    hash: str
    sum: str
    header: Header
    body: msgspec.Raw


_decoder = msgspec.json.Decoder(_Line)


def to_line(block: Block) -> bytes:
    """A block as a line of JSON that ends in a newline; its body is in it to the byte."""
    return b"".join(
        (
            b'{"hash":"',
            block.hash.encode(),
            b'","sum":"',
            digest.to_bytes(block.total).hex().encode(),
            b'","header":',
            encode_raw(block.header),
            b',"body":',
            block.payload,
            b"}\n",
        )
    )


def from_line(line: bytes, name: str) -> Block:
    """The block in a line, held against its own hashes.

    Args:
        line: The line with its newline.
        name: What it is a line of, for errors.

    Raises:
        Corrupted: It is no line that `to_line` gives, or its hashes are not those of its content.
    """
    try:
        found = _decoder.decode(line)
        block = Block(found.header, bytes(found.body), int(found.sum, 16))
        if found.header.format != FORMAT:
            raise Corrupted(
                f"{name}: block {block.number} has format {found.header.format}, this version "
                f"reads {FORMAT}",
                hint="if a newer version wrote it, use that one",
            )
        sound = (
            to_line(block) == line
            and payload_hash(block.payload) == block.header.body
            and digest.digest_of(block.total) == block.header.digest
        )
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Corrupted(f"{name}: a line is no block: {error}") from error
    if not sound:
        raise Corrupted(f"{name}: block {block.number} is not what its hashes say: it was changed")
    return block


def _until(pieces: list[Piece], at: int, last: int) -> Iterator[Piece]:
    while at < len(pieces) and pieces[at].first <= last:
        yield pieces[at]
        at += 1
