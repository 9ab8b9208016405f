"""What the application needs from the world: small ports, each with its contract.

Adapters translate their vendor's errors into `blockfold.domain.errors`: `Unavailable` when a
call failed and may work later, `Corrupted` when what came back cannot be what was stored.
Adapters for memory ship beside those for AWS; one contract suite holds for all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from blockfold.domain.action import Message
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.manifest import Manifest, Run
from blockfold.domain.retention import KEEP_ALL, Retention
from blockfold.domain.schedule import OFF, Schedule
from blockfold.domain.segments import Segment
from blockfold.domain.spans import FIRST, LAST, Span


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


class Write(msgspec.Struct, frozen=True):
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

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        """Rows above one key up to and with another, in key order, tombstones included."""

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """Store each write unless its row comes from the same or a later block.

        No two writes have the same key. Idempotent, in any order with other callers.

        Raises:
            Unavailable: Some may not have been stored.
        """


@dataclass(frozen=True, slots=True)
class Restoring:
    """How far the state table was brought up to a restore, fork or import block.

    Attributes:
        number: The block: the first that is not flushed.
        spans: The keys for which the table has that block's state, in order.
    """

    number: int
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """What is kept of a machine outside its log.

    Attributes:
        machine: The machine's id.
        epoch: How often it was rebuilt; new blocks carry it.
        flushed: Each key that a block up to this number changed has that change stored, or a later
            block's is still on its way.
        dumped: All due snapshots up to this block were made.
        archived: All blocks up to this number stand in the archive, and were read there.
        verified: The newest snapshot that was read whole and found right.
        pruned: Blocks up to this number may be gone from the table.
        thinned: The newest snapshot that was removed; others below it may be missing as well.
        newest: The newest snapshot that was noted, for a policy's sake; there may be a newer one.
        noted: When a policy last had one made, milliseconds since 1970 UTC.
        schedule: When its state is dumped.
        retention: What is kept of its past.
        revision: How often schedule or retention were changed.
        restoring: How far the restore is that comes right after ``flushed``; None if nothing of
            it was noted.
    """

    machine: str
    epoch: int = 0
    flushed: int = 0
    dumped: int = 0
    archived: int = 0
    verified: int = 0
    pruned: int = 0
    thinned: int = 0
    newest: int = 0
    noted: int = 0
    schedule: Schedule = OFF
    retention: Retention = KEEP_ALL
    revision: int = 0
    restoring: Restoring | None = None


Watermark = Literal["epoch", "flushed", "archived", "verified", "pruned", "thinned"]
"""A number of a machine's record that only rises, whoever raises it."""


class Machines(Protocol):
    """The register of machines. Reads of one machine are consistent."""

    def register(self, machine: str, schedule: Schedule = OFF) -> MachineRecord:
        """Make sure that the machine is listed; its record, new with that schedule, or old."""

    def get(self, machine: str) -> MachineRecord | None:
        """A machine's record, or None."""

    def get_many(self, machines: Collection[str]) -> dict[str, MachineRecord]:
        """The records of those machines that have one, each as `get` gives it.

        They are not of one moment: what was changed meanwhile may show in some.
        """

    def raise_watermark(self, machine: str, name: Watermark, number: int) -> None:
        """Raise a watermark; a lower number than the stored one changes nothing.

        Raising ``flushed`` drops what `note_restored` kept: that was of the block after it.
        """

    def note_restored(self, machine: str, number: int, start: str, end: str) -> None:
        """Note that for keys above ``start`` up to ``end`` the table has a restore block's state.

        Kept only while that block is the first that is not flushed. The end of a span only
        rises; there are as many spans as starts, so a caller keeps to few.
        """

    def note_snapshot(self, machine: str, number: int, time: int) -> None:
        """Note a snapshot, if newer than the noted one, and when a policy last had one made.

        A machine that is not registered stays so.
        """

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

    def put(self, record: MachineRecord) -> None:
        """Store a record as it is, whatever stood there. Only a rebuild may, while nothing runs."""

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

    def folders(self, prefix: str) -> Iterator[str]:
        """What follows the prefix up to the next slash, each once and in order.

        Args:
            prefix: Ends with a slash.
        """

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
        anew: bool = False,
    ) -> Manifest:
        """Store the state at a block: runs first, the manifest last. Idempotent.

        Args:
            block: The block.
            entries: What changed since ``base``, in key order, None for deleted; the whole state
                if there is no base.
            base: An older snapshot, whose runs the new one goes on using.
            most: Rows that may be rewritten for the sake of later readers.
            anew: Take the place of whatever stands under those names: a repair.

        Raises:
            Corrupted: The entries do not have the block's digest, or a run of the base is
                damaged; there is no manifest then.
        """

    def pin(self, manifest: Manifest, *, anew: bool = False) -> str:
        """Keep a snapshot for ever, for a block that will name it; the object key to name it by.

        Idempotent. What retention removes later is another copy of the manifest.

        Args:
            manifest: The snapshot.
            anew: Take the place of whatever stands under that key: a repair.
        """

    def check(self, run: Run, owner: str) -> None:
        """Hold one run against what a manifest says of it.

        Args:
            run: What the manifest says.
            owner: The manifest's object key, for errors.

        Raises:
            Corrupted: It is missing, damaged, or not what the manifest says.
        """

    def mend(
        self, manifest: Manifest, damaged: Collection[Run], entries: Sequence[tuple[str, Canonical]]
    ) -> Manifest:
        """A snapshot in which other runs stand for the damaged ones; the sound ones stay named.

        The runs are stored, the manifest is not: see `put`.

        Args:
            manifest: The snapshot.
            damaged: Those of its runs that cannot be read.
            entries: The whole state, in key order.

        Raises:
            Corrupted: The entries do not have the snapshot's digest; nothing was stored.
        """

    def put(self, manifest: Manifest) -> None:
        """Store a manifest, also where another stands: a repair."""

    def retire(self, manifest: Manifest) -> None:
        """Remove a snapshot. Whoever holds its manifest can read it for another day. Idempotent."""

    def roots(self, machine: str) -> list[str]:
        """Object keys of all manifests whose runs must stay.

        Snapshots, what is pinned, and what was removed in the last day. A manifest that is being
        removed meanwhile may have left the one place, but stands in the other then.
        """

    def leftovers(self, machine: str) -> list[Stored]:
        """The copies of manifests that were removed more than a day ago."""

    def upload(self, block: Block, entries: Iterable[tuple[str, Canonical]]) -> str:
        """Store a state from outside as the pinned snapshot of a block 0; its object key.

        Idempotent. It is no snapshot of the machine: only a block that names it makes it one.

        Raises:
            Corrupted: The entries do not have the block's digest; there is no manifest then.
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

    def scan(
        self, manifest: Manifest, prefix: str = "", *, after: str = FIRST, upto: str = LAST
    ) -> Iterator[tuple[str, Canonical]]:
        """The entries of a snapshot whose key starts with the prefix, in key order.

        Args:
            manifest: The snapshot.
            prefix: How the keys start.
            after: Only keys above this one.
            upto: Only keys up to and with this one.

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

    def write(self, blocks: Iterable[Block], *, anew: bool = False) -> list[Segment]:
        """Store blocks of one machine, each the parent of the next. Idempotent.

        Equal blocks, cut equally, have a segment of the same name, which is stored once.

        Args:
            blocks: The blocks, taken one by one.
            anew: Store them also where a segment of that name stands: a repair.

        Returns:
            The segments that hold them; a new one is begun when one is full or the epoch rises.

        Raises:
            Corrupted: A block does not follow the one before it; full segments are stored.
        """

    def segments(self, machine: str) -> list[Segment]:
        """The segments of a machine by first block; they may overlap and leave gaps.

        Segments without blocks are among them: see `begin`.
        """

    def read(self, segment: Segment) -> Iterator[Block]:
        """The blocks of a segment, in order.

        Raises:
            Corrupted: It is missing, damaged, or not what its name says.
        """

    def begin(self, machine: str, epoch: int, head: Block) -> None:
        """Begin an epoch: what older ones hold above a block is no part of the history. Idempotent.

        Args:
            machine: The machine's id.
            epoch: The epoch.
            head: The block that its first one will follow.
        """

    def delete(self, segments: Iterable[Segment]) -> None:
        """Delete segments; those that are not there are no error."""


class Bodies(Protocol):
    """What repairs need of a bucket beside its archive: bodies of large blocks, marks of epochs."""

    def check(self, key: str) -> None:
        """Hold a body against the hash in its name.

        Raises:
            Corrupted: It is missing, damaged, or another one.
        """

    def store(self, block: Block) -> None:
        """Store a block's body, also where another stands: a repair."""

    def mark(self, segment: Segment) -> None:
        """Store a segment without blocks, also where another object stands: a repair."""


class Eraser(Protocol):
    """Deletes what the tables hold of a machine; only those who may delete have one."""

    def erase_state(self, machine: str) -> int:
        """Delete all rows of a machine, tombstones included; how many it were."""

    def erase_blocks(self, machine: str) -> int:
        """Delete a machine's blocks from the table; how many it were."""

    def erase_record(self, machine: str) -> None:
        """Delete a machine from the register."""


class Intake(Protocol):
    """The way of actions from the queue into executors."""

    def pause(self) -> None:
        """Hold actions in the queue; pausing twice is no error.

        When this returns, no executor runs, and none will know anything of before.
        """

    def resume(self) -> None:
        """Let actions in again. Resuming twice is no error."""


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
class Check:
    """A question for later: is a snapshot of this machine due by its policy?

    Attributes:
        machine: The machine's id.
        number: Its newest block when the question first came up.
        seconds: When to ask, from now.
        waited: Seconds that were waited before that, since the question first came up.
        again: How often it was put off.
    """

    machine: str
    number: int
    seconds: int
    waited: int = 0
    again: int = 0


class Checks(Protocol):
    """Asks questions later: at least once, in any order, never early, late at times."""

    def later(self, checks: Sequence[Check]) -> None:
        """Ask each after its seconds, 900 at most.

        Raises:
            Unavailable: Some may not be asked.
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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that the actions queue gave up, as the dead-letter queue handed it out.

    Attributes:
        machine: The machine's id.
        message: The message, out of its envelope. Its ``sent`` is when one of the two queues took
            it: SQS does not say which.
        body: Its text as it was sent.
        attributes: What its sender wrote beside it, as it was sent.
        receipt: What deletes it, for as long as nobody else can receive it.
    """

    machine: str
    message: Message
    body: str
    attributes: Mapping[str, str]
    receipt: str


class DeadLetters(Protocol):
    """Messages that the actions queue gave up, each machine's in order; and the way back."""

    def receive(self, seconds: int) -> Sequence[Letter]:
        """Some of the oldest letters of machines of which nobody has any; none if there are none.

        Args:
            seconds: How long nobody else receives these, or others of their machines.

        Raises:
            Unavailable: Some may have been handed out, and come again after those seconds.
        """

    def hold(self, letters: Sequence[Letter], seconds: int) -> None:
        """Keep letters from others for so many seconds from now; 0 lets them go.

        Raises:
            Unavailable: Some may come again earlier or later. One keeps no other from being held.
        """

    def send_again(self, letter: Letter, token: str) -> Receipt:
        """Send a letter to the actions queue, as it is.

        Args:
            letter: The letter.
            token: The queue takes one message of a machine under a token within five minutes.

        Raises:
            Refused: The queue takes no such message.
            Unavailable: It may have taken it, or not.
        """

    def send(
        self, machine: str, body: str, producer: str, count: int, token: str, spoiled: str = ""
    ) -> Receipt:
        """Send a part of a letter to the actions queue, in the name of a producer.

        Args:
            machine: The machine's id.
            body: Its actions.
            producer: The producer's id.
            count: The producer's number for it.
            token: As above.
            spoiled: Why it is to be recorded as malformed, unread; empty if it is not.

        Raises:
            Refused: The queue takes no such message.
            Unavailable: It may have taken it, or not.
        """

    def delete(self, letter: Letter) -> None:
        """Delete a letter.

        Raises:
            Unavailable: It may be deleted, or come again.
        """


class Clock(Protocol):
    """Time."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Timer(Protocol):
    """A call that waits for its time."""

    def cancel(self) -> None:
        """Call it off; no error if it was made already."""


class Timers(Protocol):
    """Makes calls later."""

    def call_later(self, seconds: float, do: Callable[[], None]) -> Timer:
        """Make a call after so many seconds, in a thread of its own; never early."""
