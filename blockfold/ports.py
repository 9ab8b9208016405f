"""What the application needs from the world: small ports, each with its contract.

Adapters translate their vendor's errors into `blockfold.domain.errors`: `Unavailable` when a
call failed and may work later, `Corrupted` when what came back cannot be what was stored.
Adapters for memory ship beside those for AWS; one contract suite holds for all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.manifest import Manifest
from blockfold.domain.retention import KEEP_ALL, Retention
from blockfold.domain.schedule import OFF, Schedule
from blockfold.domain.segments import Segment


class BlockLog(Protocol):
    """The truth: blocks of all machines, numbered from 1 without a gap. Reads are consistent."""

    def append(self, block: Block) -> None:
        """Commit a block: it is durable when this returns. Appending it twice is no error.

        Raises:
            BlockConflict: Another block holds this number; it comes with the error.
            LimitExceeded: The block is too large to be read again; nothing was stored.
            Unavailable: The block may or may not have been committed.
        """

    def head(self, machine: str) -> Block | None:
        """The newest block, or None for a machine without blocks."""

    def get(self, machine: str, number: int) -> Block | None:
        """One block, or None."""

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """Blocks ``first`` … ``last`` (the newest if None) in order, those that exist."""

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        """Let go of blocks ``first`` … ``last``: each is deleted some time after a moment.

        Blocks that are not there are skipped. The caller made sure that they are archived.

        Args:
            machine: The machine's id.
            first: The first block.
            last: The last block.
            time: Until when each of them stays, milliseconds since 1970 UTC.

        Raises:
            Unavailable: Some may not have been marked; marking them again is no error.
        """


@dataclass(frozen=True, slots=True)
class Row:
    """One stored key of a machine.

    Attributes:
        key: The key.
        value: Its value, or None for a tombstone.
        block: Number of the block that wrote it.
    """

    key: str
    value: Canonical | None
    block: int


@dataclass(frozen=True, slots=True)
class Write:
    """What a block left in one key.

    Attributes:
        key: The key.
        value: Its new value, or None for deleted.
        block: Number of the block.
        new: The caller found no row of this key; only a hint that saves a request.
    """

    key: str
    value: Canonical | None
    block: int
    new: bool = False


class StateTable(Protocol):
    """The current state, one row a key, fenced by block numbers. Reads are consistent."""

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        """The rows of those keys that have one, tombstones included."""

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        """Rows whose key starts with the prefix, in key order, tombstones included."""

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """Store each write unless its row comes from the same or a later block.

        No two writes have the same key. Idempotent, in any order with other callers.

        Raises:
            Unavailable: Some may not have been stored.
        """


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """What is kept of a machine outside its log.

    Attributes:
        machine: The machine's id.
        flushed: Each key that a block up to this number changed has that change stored, or a later
            block's is still on its way.
        dumped: All due snapshots up to this block were made.
        archived: All blocks up to this number stand in the archive, and were read there.
        verified: The newest snapshot that was read whole and found right.
        pruned: Blocks up to this number may be gone from the table.
        thinned: The newest snapshot that was removed; others below it may be missing as well.
        schedule: When its state is dumped.
        retention: What is kept of its past.
        revision: How often the schedule was changed.
    """

    machine: str
    flushed: int = 0
    dumped: int = 0
    archived: int = 0
    verified: int = 0
    pruned: int = 0
    thinned: int = 0
    schedule: Schedule = OFF
    retention: Retention = KEEP_ALL
    revision: int = 0


Watermark = Literal["flushed", "archived", "verified", "pruned", "thinned"]
"""A number of a machine's record that only rises, whoever raises it."""


class Machines(Protocol):
    """The register of machines. Reads of one machine are consistent."""

    def register(self, machine: str, schedule: Schedule = OFF) -> MachineRecord:
        """Make sure that the machine is listed; its record, new with that schedule, or old."""

    def get(self, machine: str) -> MachineRecord | None:
        """A machine's record, or None."""

    def raise_watermark(self, machine: str, name: Watermark, number: int) -> None:
        """Raise a watermark; a lower number than the stored one changes nothing."""

    def raise_dumped(self, record: MachineRecord, number: int) -> None:
        """Raise ``dumped`` to a number, as the schedule in the record demands.

        A lower number than the stored one changes nothing, nor does a record whose schedule was
        replaced since it was read: other blocks may be due by the new one.
        """

    def set_schedule(self, record: MachineRecord, schedule: Schedule) -> bool:
        """Replace a schedule; whether it was.

        It is not if the schedule was replaced or ``dumped`` raised since the record was read: a
        setting must not take effect at a block whose snapshot was made or passed over already.
        """

    def set_retention(self, machine: str, retention: Retention) -> None:
        """Replace what is kept of a machine's past; the last caller wins."""

    def list(self) -> Iterator[MachineRecord]:
        """All machines, in no order."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing tells of it.

    Attributes:
        key: Its key.
        bytes: Its size.
        modified: When it was stored, milliseconds since 1970 UTC.
    """

    key: str
    bytes: int
    modified: int


class ObjectStore(Protocol):
    """Objects by key, immutable but for repairs."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Store an object unless the key is taken; whether it was stored."""

    def get(self, key: str) -> bytes | None:
        """An object's bytes, or None."""

    def stat(self, key: str) -> Stored | None:
        """Size and age of an object, or None."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """The objects whose key starts with the prefix, in the order of their keys."""

    def replace(self, key: str, data: bytes) -> None:
        """Store an object, also where another stands: a repair. Readers see either."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""


class SnapshotStore(Protocol):
    """Snapshots of all machines. What is read is held against its hashes."""

    def save(
        self,
        block: Block,
        entries: Iterable[tuple[str, Canonical | None]],
        base: Manifest | None = None,
        *,
        most: int | None = None,
    ) -> Manifest:
        """Store the state at a block: runs first, the manifest last. Idempotent.

        Args:
            block: The block.
            entries: What changed since ``base``, in key order, None for deleted; the whole state
                if there is no base.
            base: An older snapshot, whose runs the new one goes on using.
            most: Rows that may be rewritten for the sake of later readers.

        Raises:
            Corrupted: The entries do not have the block's digest, or a run of the base is
                damaged; there is no manifest then.
        """

    def pin(self, manifest: Manifest) -> str:
        """Keep a snapshot for ever, for a block that will name it; the object key to name it by.

        Idempotent. What retention removes later is another copy of the manifest.
        """

    def get(self, machine: str, number: int) -> Manifest | None:
        """The snapshot of a block, or None."""

    def open(self, key: str) -> Manifest:
        """The manifest under an object key.

        Raises:
            Corrupted: It is missing or damaged.
        """

    def numbers(self, machine: str) -> list[int]:
        """The blocks that have a snapshot, in order."""

    def value(self, manifest: Manifest, key: str) -> Canonical | None:
        """The value of one key in a snapshot, or None; reads at most one run a generation.

        Raises:
            Corrupted: A run is missing, damaged, or not what the manifest says.
        """

    def scan(self, manifest: Manifest, prefix: str) -> Iterator[tuple[str, Canonical]]:
        """The entries of a snapshot whose key starts with the prefix, in key order.

        Raises:
            Corrupted: A run is missing, damaged, or not what the manifest says.
        """

    def entries(self, manifest: Manifest) -> Iterator[tuple[str, Canonical]]:
        """The whole state in a snapshot, in key order, held against its digest at the end.

        Raises:
            Corrupted: A run is missing, damaged, or not what the manifest says.
        """


class Archive(Protocol):
    """Blocks of all machines in immutable segments. What is read is held against its hashes."""

    def write(self, blocks: Iterable[Block]) -> list[Segment]:
        """Store blocks of one machine, each the parent of the next. Idempotent.

        Returns:
            The segments that hold them; a new one is begun when one is full or the epoch rises.

        Raises:
            Corrupted: A block does not follow the one before it; earlier segments are stored.
        """

    def segments(self, machine: str) -> list[Segment]:
        """The segments of a machine by first block; they may overlap and leave gaps."""

    def read(self, segment: Segment) -> Iterator[Block]:
        """The blocks of a segment, in order.

        Raises:
            Corrupted: It is missing, damaged, or not what its name says.
        """

    def delete(self, segments: Iterable[Segment]) -> None:
        """Delete segments; those that are not there are no error."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event for the bus.

    Attributes:
        source: Who says it: Blockfold, or a reducer through it.
        type: The event's type.
        detail: JSON object as canonical bytes.
        time: When it happened, milliseconds since 1970 UTC.
    """

    source: str
    type: str
    detail: Canonical
    time: int


class EventBus(Protocol):
    """Publishes events, at least once."""

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish all.

        Raises:
            Unavailable: Some may not have been published.
        """


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a queue answered when it took a message.

    Attributes:
        message: The MessageId.
        sequence: The SequenceNumber within the group.
        queue: ARN of the queue.
    """

    message: str
    sequence: str
    queue: str


class Clock(Protocol):
    """Time."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
