"""The archive in an object store: immutable files of blocks (``docs/archive-format.md``).

Needs put and get of objects below ``machines/``, listing them, and deleting for `delete` alone.
If the process dies while it writes, each segment is there whole or not at all; the next write of
the same blocks finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from blockfold.adapters.packed_lines import LinePacker, unpacked_lines
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import archive_prefix
from blockfold.domain.segments import Segment, follows, from_line, same_epoch, to_line
from blockfold.ports import ObjectStore

UNPACKED_BYTES = 8 * 1024 * 1024
"""Uncompressed bytes that a segment has at most, unless it is one larger block by itself."""

MAX_UNPACKED_BYTES = 80 * 1024 * 1024
"""What a segment or a line may unpack to; more is taken for damage. The largest block that a log
takes has a body of 64 MiB (`blockfold.adapters.dynamodb.items`)."""

ZSTD_LEVEL = 6
"""Packs 100 MB of blocks a second; level 15 saves 2 to 6 % and takes ten times as long."""


class ObjectArchive:
    """An `Archive` in an object store.

    Args:
        objects: Where the segments stand.
        part: Uncompressed bytes after which a segment is closed.
    """

    def __init__(self, objects: ObjectStore, *, part: int = UNPACKED_BYTES) -> None:
        self._objects = objects
        self._part = part

    def write(self, blocks: Iterable[Block], *, anew: bool = False) -> list[Segment]:
        """See `Archive.write`."""
        stored: list[Segment] = []
        file: _OpenSegment | None = None
        for block in blocks:
            line = to_line(block)
            if file is not None:
                if not follows(file.last, block):
                    raise Corrupted(
                        f"block {block.number} of machine {block.machine!r} does not follow "
                        f"block {file.last.number} of machine {file.last.machine!r}"
                    )
                full = file.lines.unpacked + len(line) > self._part
                if full or not same_epoch(file.last, block):
                    stored.append(self._store(file, anew=anew))
                    file = None
            file = file or _OpenSegment(block)
            file.add(block, line)
        if file is not None:
            stored.append(self._store(file, anew=anew))
        return stored

    def segments(self, machine: str) -> list[Segment]:
        """See `Archive.segments`. Objects with other names are passed over."""
        listed = self._objects.list(archive_prefix(machine))
        named = (Segment.named(machine, each.key, each.bytes, each.modified) for each in listed)
        return [segment for segment in named if segment is not None]

    def read(self, segment: Segment) -> Iterator[Block]:
        """See `Archive.read`."""
        name = f"the segment {segment.key}"
        packed = self._objects.get(segment.key)
        if packed is None:
            raise Corrupted(f"{name} is missing")
        last: Block | None = None
        for line in unpacked_lines(
            packed, name, longest=MAX_UNPACKED_BYTES, most=MAX_UNPACKED_BYTES
        ):
            block = from_line(line, name)
            if (
                block.machine != segment.machine
                or block.header.epoch != segment.epoch
                or (last is None and block.number != segment.first)
                or (last is not None and not follows(last, block))
                or block.number > segment.last
            ):
                raise Corrupted(f"{name}: block {block.number} does not belong there")
            yield block
            last = block
        if last is None and segment.blocks == 0:
            return
        if last is None or (last.number, last.hash) != (segment.last, segment.hash):
            raise Corrupted(f"{name} does not end with the block that it is named after")

    def begin(self, machine: str, epoch: int, head: Block) -> None:
        """See `Archive.begin`: a segment without blocks, which stands where they will begin."""
        segment = Segment(machine, head.number + 1, head.number, epoch, head.hash)
        self._objects.put_new(segment.key, LinePacker(ZSTD_LEVEL).close())

    def delete(self, segments: Iterable[Segment]) -> None:
        """See `Archive.delete`."""
        self._objects.delete([segment.key for segment in segments])

    def _store(self, file: _OpenSegment, *, anew: bool) -> Segment:
        packed = file.lines.close()
        last = file.last
        segment = Segment(
            machine=last.machine,
            first=file.first.number,
            last=last.number,
            epoch=last.header.epoch,
            hash=last.hash,
            bytes=len(packed),
        )
        if anew:
            self._objects.replace(segment.key, packed)
        else:
            self._objects.put_new(segment.key, packed)
        return segment


class _OpenSegment:
    """A segment that is being filled, of which the first and the last block are kept."""

    def __init__(self, first: Block) -> None:
        self.lines = LinePacker(ZSTD_LEVEL)
        self.first = first
        self.last = first

    def add(self, block: Block, line: bytes) -> None:
        self.lines.add(line)
        self.last = block
