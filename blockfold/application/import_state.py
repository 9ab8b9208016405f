"""Start a machine from a state that comes from elsewhere: as block 1, and its snapshot first.

A state from outside becomes the pinned snapshot of a block 0, whose header is sealed as any
other's but never appended. The state at a block of another stack becomes that block's pinned
snapshot here. Block 1 names it, as the first block of a fork names its parent's.

What happens if the process dies: while entries are sorted, a folder of temporary files may be
left. While runs are stored, some are garbage; run again, and those are found. Once the snapshot
is stored, the same import finds it. From then on, it is a restore like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from blockfold.application.import_lines import Entry
from blockfold.application.lost import check_not_lost
from blockfold.domain import digest
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Misconfigured, Refused
from blockfold.domain.execute import seal
from blockfold.ports import Archive, BlockLog, SnapshotStore

CODE = "import/1"
"""What the block 0 of an import says about the code that made it."""


class Sorter(Protocol):
    """Puts entries in key order; more of them than memory holds."""

    def add(self, entry: Entry) -> None:
        """Take an entry."""

    def sorted(self) -> Iterator[Entry]:
        """All entries so far by key, then by place; may be asked for again."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A state that stands in the bucket.

    Attributes:
        key: Object key of its manifest: what a restorer takes as `Target.imported`.
        rows: Its entries.
        digest: Its digest.
    """

    key: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Importer:
    """Brings states into the bucket.

    Attributes:
        log: The blocks.
        snapshots: The snapshots.
        archive: Where blocks of a machine that seems to be new would stand, if it is not.
    """

    log: BlockLog
    snapshots: SnapshotStore
    archive: Archive | None = None

    def check(self, machine: str) -> None:
        """Make sure that the machine is free, or that an import of it is not finished.

        Raises:
            Refused: It exists.
            Corrupted: It existed, and its blocks were lost.
        """
        newest = self.log.head(machine)
        if newest is None:
            check_not_lost(self.archive, self.log, machine)
            return
        origin = newest.body.origin
        if newest.number != 1 or origin is None or origin.kind == "restore":
            raise Refused(f"machine {machine!r} exists already", hint="import under another id")

    def upload_block(
        self, machine: str, block: Block, entries: Iterable[tuple[str, Canonical]]
    ) -> Uploaded:
        """Store the state at a block of another stack, for a machine that is to be its fork.

        It stands below that block's own machine, whether this stack has one of that id or not.

        Args:
            machine: The id of the fork.
            block: The block.
            entries: The state right after it, in key order.

        Raises:
            Refused: The machine exists; nothing was stored.
            Corrupted: The entries do not have the block's digest.
            Unavailable: The bucket failed; run again.
        """
        self.check(machine)
        key = self.snapshots.upload(block, entries)
        return Uploaded(key, block.header.keys, block.header.digest)

    def upload(
        self, machine: str, entries: Iterable[Entry], sorter: Sorter, *, unit: str = "line"
    ) -> Uploaded:
        """Store a state for a machine that is to start from it.

        Args:
            machine: The machine's id.
            entries: The state, in any order.
            sorter: An empty one.
            unit: What an entry's place counts.

        Raises:
            Refused: The machine exists; nothing was stored.
            Misconfigured: An entry is none, or a key stands twice; nothing was stored.
            LimitExceeded: An entry breaks a limit; nothing was stored.
            Unavailable: The bucket failed; run again.
        """
        self.check(machine)
        total, rows = digest.EMPTY, 0
        for entry in entries:
            total = digest.replace(total, entry.key, None, entry.value)
            rows += 1
            sorter.add(entry)
        for _ in _unique(sorter.sorted(), unit):
            pass  # a key that stands twice must be found before anything is stored
        before = Head(machine=machine, number=-1)
        block = seal(before, Body(), total=total, keys=rows, time=0, code=CODE)
        key = self.snapshots.upload(block, _unique(sorter.sorted(), unit))
        return Uploaded(key, rows, block.header.digest)


def _unique(entries: Iterator[Entry], unit: str) -> Iterator[tuple[str, Canonical]]:
    """Sorted entries as a state.

    Raises:
        Misconfigured: A key stands twice.
    """
    before: Entry | None = None
    for entry in entries:
        if before is not None and before.key == entry.key:
            raise Misconfigured(
                f"{unit} {entry.place} has the key {entry.key!r}, as {unit} {before.place} has",
                hint="a state has each key once: remove one of them",
            )
        yield entry.key, entry.value
        before = entry
