"""The archive of a recorded machine: appended to by one process at a time, or not at all.

What happens if the process dies: a segment is there whole or not at all; whoever comes next finds
it, and goes on behind it. Small segments stay beside the one that was made of them. If two
processes record at once, the one that finds the other's blocks takes its own away, and stops.
"""

from __future__ import annotations

from collections.abc import Sequence

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.bucket_log import bucket_log
from blockfold.application.rebuild import archived_head
from blockfold.domain.block import NO_HASH, Block
from blockfold.domain.errors import Refused
from blockfold.domain.keys import archive_prefix
from blockfold.domain.segments import Segment
from blockfold.ports import ObjectStore

MERGED_FROM = 32
"""So many small segments of a process are made one: a channel may have each action flushed."""


class Shelf:
    """Appends blocks to a machine's archive.

    Args:
        machine: The machine's id.
        objects: Where the archive stands.

    Attributes:
        archive: The archive.
        number: The last block that stands there; None until `open`.
    """

    def __init__(self, machine: str, objects: ObjectStore) -> None:
        self._machine = machine
        self._objects = objects
        self.archive = ObjectArchive(objects)
        self.number: int | None = None
        self._small: list[Segment] = []

    def head(self) -> Block | None:
        """The last block that stands there now.

        Raises:
            Corrupted: There is a hole, or the last segment is damaged.
        """
        return archived_head(self.archive, self._machine)

    def open(self, blocks: Sequence[Block]) -> None:
        """Find out where the archive ends; it must be of the blocks' history.

        Args:
            blocks: Those that are to be stored, in order; some may be there.

        Raises:
            Refused: It holds other blocks, or a stack has gone on with the machine.
            Corrupted: It is damaged.
        """
        if any(segment.epoch for segment in self.archive.segments(self._machine)):
            raise Refused(
                f"machine {self._machine!r} was rebuilt by a stack: it goes on there",
                hint="record under another id, and start that from a snapshot of this one",
            )
        head = self.head()
        number = head.number if head else 0
        if blocks:
            self._check_history(blocks, head)
        self.number = number

    def append(self, blocks: Sequence[Block]) -> None:
        """Store blocks behind those that are there; durable when it returns. Idempotent.

        Args:
            blocks: Consecutive blocks, the first right behind the last that is there.

        Raises:
            Refused: Another process has stored others; these were not stored.
            Unavailable: They may or may not be stored: try again.
        """
        self._check_alone(blocks)
        stored = self.archive.write(blocks)
        try:
            self._check_alone(blocks)
        except Refused:
            self.archive.delete(stored)
            raise
        self.number = blocks[-1].number
        self._small += stored

    def merge(self) -> None:
        """Make one segment of the small ones of this process, if there are many.

        They are deleted once the other was read back. If the process dies before that, both stay:
        readers take the one that reaches farther.
        """
        small = self._small
        if len(small) < MERGED_FROM:
            return
        merged = self.archive.write(block for each in small for block in self.archive.read(each))
        for each in merged:
            for _ in self.archive.read(each):
                pass
        self._small = []  # first: some may be gone also if deleting fails
        kept = {each.key for each in merged}
        self.archive.delete(each for each in small if each.key not in kept)

    def _check_history(self, blocks: Sequence[Block], head: Block | None) -> None:
        """Blocks that are there must be these, and the first must follow what is there."""
        first, last = blocks[0], blocks[-1]
        number = head.number if head else 0
        if first.number > number + 1:
            raise Refused(
                f"blocks {number + 1} to {first.number - 1} of machine {self._machine!r} were "
                "never recorded",
                hint="record from the start, or start another id from a snapshot",
            )
        parent = NO_HASH
        if head is not None:
            log = bucket_log(head, self.archive)
            common = min(number, last.number)
            if common >= first.number:
                there = log.get(self._machine, common)
                if there is None or there.hash != blocks[common - first.number].hash:
                    raise _other(self._machine, common)
            before = log.get(self._machine, first.number - 1)
            parent = before.hash if before else NO_HASH
        if first.header.parent != parent:
            raise _other(self._machine, first.number - 1)

    def _check_alone(self, blocks: Sequence[Block]) -> None:
        """Behind the last block there is nothing but what this very history holds.

        Whoever else records, or rebuilds, begins a segment there.
        """
        first = blocks[0].number
        for each in self._objects.list(f"{archive_prefix(self._machine)}{first:012d}-"):
            segment = Segment.named(self._machine, each.key)
            if segment is None:
                continue
            offset = segment.last - first
            mine = 0 <= offset < len(blocks) and blocks[offset].hash == segment.hash
            if segment.epoch or not mine:
                raise _other(self._machine, first)


def _other(machine: str, number: int) -> Refused:
    return Refused(
        f"another process has recorded machine {machine!r}: it knows another block {number}",
        hint="start again from what is recorded, or record under another id",
    )
