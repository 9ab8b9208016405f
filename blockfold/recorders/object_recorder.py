"""The recorder over any object store: the log as it grows, and snapshots when it is quiet.

What it stores is what a deployed stack's bucket holds: archive segments, and snapshots that cost
what changed. A stack that is given them can read, fork and rebuild the machine, and what a stack's
dumper wrote can be loaded here.

What happens if the process dies, after each step:

=============================  ===============================================================
after                          the next process
=============================  ===============================================================
an action was dispatched       knows nothing of it, unless the log or the channel keeps it:
                               `ObjectRecorder.flush` comes before a channel is told to forget
the mark was stored            finds it
some segments of the log       finds them, and goes on behind the last block
all segments, no snapshot      finds the last blocks behind the newest snapshot
some runs of a snapshot        stores the same runs, or others; an unnamed one is garbage
the manifest                   finds it
=============================  ===============================================================
"""

from __future__ import annotations

import logging
from threading import Lock, RLock

from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.bucket_log import bucket_log
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.adapters.system import SystemClock
from blockfold.application.dump import Dumper
from blockfold.application.history import check_snapshot
from blockfold.application.push import check_machine_id
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError, Corrupted, Refused, Unavailable
from blockfold.domain.segments import follows
from blockfold.ports import ObjectStore
from blockfold.recorders import at_exit
from blockfold.recorders.owner import OwnedObjects, Owner
from blockfold.recorders.protocol import Frame
from blockfold.recorders.quiet import SECONDS, Quiet, TimedClock
from blockfold.recorders.shelf import Shelf
from blockfold.recorders.snapshot import Snapshot

PENDING_BYTES = 16 * 1024 * 1024
"""Bodies of blocks that wait to be stored, at most: above that, a dispatch stores them first."""

logger = logging.getLogger("blockfold.recorders")


class ObjectRecorder:
    """A recorder with all capabilities that keeps the log, too, in an object store.

    A snapshot is made when nothing was dispatched for a while, when that takes too long, when it
    is asked for, when the recorder is closed, and when the interpreter exits. What fails by itself
    is logged, tried again, and raised by the next dispatch.

    Args:
        machine: The machine's id.
        objects: Where everything is kept; many machines may share it.
        quiet: Seconds without a dispatch after which a snapshot is made; None makes none.
        most: Seconds after which one is made however much is dispatched; ten times ``quiet`` if
            None.
        clock: Time and timers.
        lasting: Whether what is stored outlives the interpreter, so that its exit is waited for.

    Attributes:
        machine: The machine's id.
        objects: The store, for whoever stores or restores snapshots of the machine besides.
        lasting: See above.

    Raises:
        Misconfigured: The id cannot be one.
    """

    def __init__(
        self,
        machine: str,
        objects: ObjectStore,
        *,
        quiet: float | None = SECONDS,
        most: float | None = None,
        clock: TimedClock | None = None,
        lasting: bool = True,
    ) -> None:
        self.machine = check_machine_id(machine)
        self._owner = Owner(machine, objects)
        self.objects: ObjectStore = OwnedObjects(machine, objects, self._owner, self._stored_upto)
        self._clock = clock or SystemClock()
        self._shelf = Shelf(machine, self.objects)
        self._pending = MemoryBlockLog()
        self._told: Block | None = None
        self._bytes = 0
        self._unsaved = False
        self.lasting = lasting
        self._trouble: Exception | None = None
        self._lost: Refused | None = None  # why nothing can be recorded any more
        self._quiet = Quiet(self._clock, self._on_quiet, seconds=quiet, most=most)
        self._lock = Lock()  # what was told
        self._storing = RLock()  # one call to the store after the other; taken before the other

    # -- being told ----------------------------------------------------------------------------

    def after_dispatch(self, frame: Frame) -> None:
        """Note the block of a frame: see `Recorder.after_dispatch`.

        A first frame, without action and block, is not recorded. It only makes sure that the
        machine may be; what was noted and cannot be recorded any more is dropped then.

        Raises:
            Refused: The frame does not follow the one before, or the machine is not this
                recorder's, or not any more: so it stays until the machine is started again.
            BlockfoldError: What was noted before could not be stored. This frame is noted, and
                all is tried again.
        """
        block = frame.block
        if block is None:
            self._begin_again()
            self._owner.check()
        elif self._lost is not None:
            raise Refused(self._lost.message, hint=self._lost.hint) from self._lost
        elif frame.last and self._note(block):
            if self.lasting:
                at_exit.remember(self)
            self._quiet.touch()
            if self._bytes > PENDING_BYTES:
                self.flush()
                self._forget_below(block.number)
        with self._lock:
            trouble, self._trouble = self._trouble, None
        if isinstance(trouble, BlockfoldError):
            raise type(trouble)(
                f"machine {self.machine!r} was not recorded: {trouble.message}", hint=trouble.hint
            ) from trouble
        if trouble is not None:
            raise trouble

    def _begin_again(self) -> None:
        """Drop what cannot be recorded, if the machine starts from what others have recorded."""
        with self._storing, self._lock:
            if self._lost is None:
                return
            logger.warning("machine %r starts again without what was lost", self.machine)
            self._shelf = Shelf(self.machine, self.objects)
            self._pending = MemoryBlockLog()
            self._told = self._lost = self._trouble = None
            self._bytes = 0
            self._unsaved = False
            at_exit.forget(self)

    def _note(self, block: Block) -> bool:
        """Keep a block until it is stored; False if it was noted before."""
        with self._lock:
            told = self._told
            if told is not None and block.hash == told.hash:
                return False
            if block.machine != self.machine or (told is not None and not follows(told, block)):
                raise Refused(
                    f"block {block.number} of machine {block.machine!r} does not follow what was "
                    f"recorded of {self.machine!r}",
                    hint="one recorder records one machine; make another for another",
                )
            self._pending.append(block)
            self._told = block
            self._bytes += len(block.payload)
            self._unsaved = True
            return True

    # -- storing -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Store all blocks that are not stored yet; durable when it returns. No snapshot.

        Raises:
            Refused: The machine is not this recorder's, or not any more; nothing was stored.
            BlockfoldError: The store failed; the blocks are kept, and flushing again tries again.
        """
        with self._storing:
            self._store_pending()

    def create_snapshot(self) -> int | None:
        """Store the log, and a snapshot of its last block: see `CreatesSnapshots`.

        Raises:
            Refused: The machine is not this recorder's, or not any more; nothing was stored.
            BlockfoldError: The store failed; what was stored is found when it is tried again.
        """
        with self._storing:
            self._store_pending()
            newest = self._told or self._shelf.head()
            if newest is None:
                return None
            if self._told is None:
                self._pending.append(newest)  # the log ends there; older blocks are archived
            log = ArchivedBlockLog(self._pending, self._shelf.archive)
            dumper = Dumper(log, MemoryMachines(), self._snapshots, self._clock, passed=_passed)
            dumper.dump(self.machine, newest.number, unattended=True)
            self._forget_below(newest.number)
            self._shelf.merge()
            with self._lock:
                self._trouble = None
                self._unsaved = self._told is not None and self._told.number > newest.number
                if not self._unsaved:
                    at_exit.forget(self)
            return newest.number

    def close(self) -> None:
        """Record what is left, and wait for quiet no more. Closing twice is no error.

        Whoever goes on dispatching opens it again.

        Raises:
            BlockfoldError: It could not be recorded; closing again tries again.
        """
        self._quiet.cancel()
        if self._unsaved:
            self.create_snapshot()

    def _store_pending(self) -> None:
        try:
            self._append_pending()
        except Refused as error:
            self._lost = error
            raise

    def _append_pending(self) -> None:
        with self._lock:
            last = self._told.number if self._told else 0
        shelf = self._shelf
        blocks = list(self._pending.read(self.machine, (shelf.number or 0) + 1, last))
        if not blocks:
            return
        self._owner.claim()
        if shelf.number is None:
            shelf.open(blocks)
            blocks = [block for block in blocks if block.number > (shelf.number or 0)]
        if blocks:
            shelf.append(blocks)

    def _stored_upto(self, number: int) -> None:
        """Store the log up to a block of which a snapshot is about to be stored.

        Raises:
            Refused: The recorder was not told of it: the log would have a hole.
        """
        with self._storing:
            self._store_pending()
            if self._shelf.number is None:
                self._shelf.open([])
            if number > (self._shelf.number or 0):
                raise Refused(
                    f"block {number} of machine {self.machine!r} cannot have a snapshot: it was "
                    "not recorded",
                    hint="tell the recorder of it first: after_dispatch",
                )

    def _forget_below(self, number: int) -> None:
        """Let go of blocks that are stored; the newest stays, as the log's head."""
        self._pending.expire(self.machine, 1, number - 1, 0)
        self._pending.pass_time(0)
        with self._lock:
            self._bytes = 0

    def _on_quiet(self) -> None:
        """Make a snapshot, in a timer's thread: nobody is there to catch what is raised."""
        try:
            if self._unsaved:  # somebody may have asked for one meanwhile
                self.create_snapshot()
        except Exception as error:  # noqa: BLE001 - kept, and raised by the next dispatch
            logger.error("machine %r was not recorded: %s", self.machine, error)
            with self._lock:
                self._trouble = error
            if not isinstance(error, Refused):
                self._quiet.touch()

    # -- reading -------------------------------------------------------------------------------

    def get_snapshots(self) -> list[int]:
        """The blocks that have a snapshot, in order: see `ListsSnapshots`."""
        return self._snapshots.numbers(self.machine)

    def load_snapshot(self, id: int | None = None) -> Snapshot | None:  # noqa: A002 - the term
        """The snapshot of a block: see `LoadsSnapshots`.

        Raises:
            Corrupted: It is there and damaged, or its block is.
            Unavailable: The store failed, or a stack has not archived the block yet.
        """
        numbers = self.get_snapshots()
        if not numbers or (id is not None and id not in numbers):
            return None
        head = self._shelf.head()
        archived = head.number if head else 0
        newest = next((each for each in reversed(numbers) if each <= archived), numbers[-1])
        number = newest if id is None else id
        if head is None or number > archived:
            what = f"block {number} of machine {self.machine!r} has a snapshot, and is not archived"
            if self._owner.marked:  # a recorder stores the block first
                raise Corrupted(what, hint="files of the archive are missing")
            raise Unavailable(what, hint="a stack archives blocks within seconds: try again")
        return self._loaded(number, head)

    def _loaded(self, number: int, head: Block) -> Snapshot | None:
        manifest = self._snapshots.get(self.machine, number)
        if manifest is None:  # a stack's pruner was faster
            return None
        block = bucket_log(head, self._shelf.archive).get(self.machine, number)
        if block is None:
            raise Corrupted(f"block {number} of machine {self.machine!r} is missing in its archive")
        check_snapshot(manifest, block)
        return Snapshot(block, dict(self._snapshots.entries(manifest)))

    @property
    def _snapshots(self) -> ObjectSnapshots:
        return ObjectSnapshots(self.objects, now=self._clock.now)


def _passed(error: Corrupted) -> None:
    logger.error("a damaged snapshot was passed over: %s", error)
