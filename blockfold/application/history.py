"""Whole states of the past: from the nearest snapshot, forward along the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted, NotFound
from blockfold.domain.manifest import Manifest
from blockfold.domain.replay import check_link, fold
from blockfold.domain.state import Changes
from blockfold.ports import BlockLog, SnapshotStore


@dataclass(slots=True)
class Replica:
    """A machine's whole state in memory, which follows the log; runs no user code.

    Attributes:
        head: The block that it stands at.
        entries: The state after that block, in no order.
        snapshots: Where restore and fork blocks take their state from.
    """

    head: Head
    entries: dict[str, Canonical]
    snapshots: SnapshotStore

    def advance(self, block: Block) -> None:
        """Go on by one block.

        Raises:
            Corrupted: The block does not follow, or names a snapshot that is missing or damaged.
        """
        check_link(self.head, block)
        if block.body.origin is not None:
            self.entries = origin_state(self.snapshots, block)
        else:
            fold(self.entries, block)
        self.head = block.head

    def sorted_entries(self) -> Iterator[tuple[str, Canonical]]:
        """The state in key order."""
        return ((key, self.entries[key]) for key in sorted(self.entries))


@dataclass(slots=True)
class Delta:
    """What changed since a snapshot; follows the log and holds no more than that.

    Attributes:
        head: The block that it stands at.
        base: The snapshot, or None for the empty state before block 1.
        changes: Key → value, or None for deleted.
        snapshots: Where restore and fork blocks take their state from.
    """

    head: Head
    base: Manifest | None
    changes: Changes
    snapshots: SnapshotStore

    def advance(self, block: Block) -> None:
        """Go on by one block.

        Raises:
            Corrupted: The block does not follow, or names a snapshot that is missing or damaged.
        """
        check_link(self.head, block)
        if block.body.origin is not None:
            self.base, self.changes = origin_manifest(self.snapshots, block), {}
        else:
            self.changes.update(block.body.changes)
        self.head = block.head

    def saved(self, block: Block, most: int | None) -> Manifest:
        """The snapshot of the block that it stands at, which is its base from now on."""
        changes = ((key, self.changes[key]) for key in sorted(self.changes))
        self.base = self.snapshots.save(block, changes, self.base, most=most)
        self.changes = {}
        return self.base


@dataclass(frozen=True, slots=True)
class History:
    """Reads states of the past.

    Attributes:
        log: The blocks.
        snapshots: The snapshots.
    """

    log: BlockLog
    snapshots: SnapshotStore

    def at(self, machine: str, number: int) -> Replica:
        """The state right after a block.

        Args:
            machine: The machine's id.
            number: The block; 0 for the state before the first. It must exist.

        Raises:
            Corrupted: Log or snapshot are damaged.
        """
        replica = self.nearest(machine, number)
        self.forward(replica, number)
        return replica

    def nearest(self, machine: str, number: int) -> Replica:
        """The state of the newest snapshot at or below a block, or that before block 1.

        Raises:
            Corrupted: The snapshot is damaged, or of another block than the log's.
        """
        manifest = self.manifest(machine, number)
        if manifest is None:
            return Replica(Head(machine=machine), {}, self.snapshots)
        return Replica(head_of(manifest), dict(self.snapshots.entries(manifest)), self.snapshots)

    def from_log(self, machine: str, number: int) -> Replica:
        """The state right after a block, from the log alone, as far as no restore needs more.

        Raises:
            Corrupted: The log is damaged, or a snapshot that a restore block names.
        """
        replica = Replica(Head(machine=machine), {}, self.snapshots)
        self.forward(replica, number)
        return replica

    def since(
        self, machine: str, number: int, *, passed: Callable[[Corrupted], None] | None = None
    ) -> Delta:
        """No changes yet since the newest snapshot at or below a block; reads only its manifest.

        Args:
            machine: The machine's id.
            number: The block.
            passed: Told of each damaged manifest that is passed over for an older one; None passes
                over none.

        Raises:
            Corrupted: The manifest is damaged, or of another block than the log's.
        """
        for each in reversed(self.snapshots.numbers(machine)):
            if each > number:
                continue
            try:
                manifest = self.manifest(machine, each)
            except Corrupted as error:
                if passed is None:
                    raise
                passed(error)
                continue
            if manifest is not None:
                return delta_from(manifest, self.snapshots)
        return Delta(Head(machine=machine), None, {}, self.snapshots)

    def manifest(self, machine: str, number: int) -> Manifest | None:
        """The newest snapshot at or below a block, or None.

        Raises:
            Corrupted: The manifest is damaged, or of another block than the log's.
        """
        numbers = [each for each in self.snapshots.numbers(machine) if each <= number]
        manifest = self.snapshots.get(machine, numbers[-1]) if numbers else None
        if manifest is not None and (block := self.log.get(machine, manifest.number)) is not None:
            check_snapshot(manifest, block)
        return manifest

    def forward(self, replica: Replica | Delta, number: int) -> None:
        """Bring a replica or delta up to a block.

        Raises:
            NotFound: The log ends before it.
            Corrupted: Log or snapshot are damaged.
        """
        for block in self.log.read(replica.head.machine, replica.head.number + 1, number):
            replica.advance(block)
        self.check_reached(replica.head.machine, replica.head.number, number)

    @staticmethod
    def check_reached(machine: str, reached: int, number: int) -> None:
        """Make sure that reading came to the block that it was meant to.

        Raises:
            NotFound: The log ended before it.
        """
        if reached != number:
            raise NotFound(
                f"the log of machine {machine!r} ends at block {reached}, before block {number}"
            )


def delta_from(manifest: Manifest, snapshots: SnapshotStore) -> Delta:
    """No changes yet since a snapshot."""
    return Delta(head_of(manifest), manifest, {}, snapshots)


def check_snapshot(manifest: Manifest, block: Block) -> None:
    """Hold a snapshot against the block that it says it is of.

    Raises:
        Corrupted: It is of another block.
    """
    if head_of(manifest) != replace(block.head, marks=()) or manifest.code != block.header.code:
        raise Corrupted(
            f"{manifest.key} is of another block {block.number} of machine {block.machine!r} "
            "than the log's",
            hint="`blockfold repair` makes it again; or delete it and dump that block again",
        )


def origin_state(snapshots: SnapshotStore, block: Block) -> dict[str, Canonical]:
    """The state that a restore or fork block brings.

    Raises:
        Corrupted: Its snapshot is missing, damaged, or of another state.
    """
    return dict(snapshots.entries(origin_manifest(snapshots, block)))


def origin_manifest(snapshots: SnapshotStore, block: Block) -> Manifest:
    """The snapshot that a restore or fork block names.

    Raises:
        Corrupted: It is missing, damaged, or of another state than the block says.
    """
    origin = block.body.origin
    if origin is None:
        raise Corrupted(f"block {block.number} of machine {block.machine!r} has no origin")
    try:
        manifest = snapshots.open(origin.manifest)
    except Corrupted:
        # The same snapshot may have been made again, from the log, under its own name.
        again = snapshots.get(origin.machine, origin.number)
        if again is None:
            raise
        manifest = again
    if manifest.hash != origin.hash or manifest.total != block.total:
        raise Corrupted(
            f"{origin.manifest} is not the snapshot that block {block.number} of machine "
            f"{block.machine!r} brings back"
        )
    return manifest


def head_of(manifest: Manifest) -> Head:
    """The block that a snapshot is of, as the next one builds on it; without its marks."""
    return Head(
        machine=manifest.machine,
        number=manifest.number,
        hash=manifest.hash,
        total=manifest.total,
        keys=manifest.rows,
        ordinal=manifest.ordinal,
        time=manifest.time,
        epoch=manifest.epoch,
    )
