"""Fold a group's messages into committed blocks, then bring the state table up to date.

The state table may lag, but not for long: while it does, the group's last message is not
acknowledged, and above a bound no further block is committed.

What happens if the process dies, after each call to the outside:

==========================  ===================================================================
after                       the next invocation
==========================  ===================================================================
reading head, marks, rows   starts anew: nothing was changed
spilling a body to S3       writes the same object again or another; an unnamed one is garbage
committing a block          finds the head's marks and skips what the block holds
some of the state writes    reads what is stored of the unflushed blocks, and writes the rest
all state writes            as above, and nothing is left to write
raising ``flushed``         has nothing to make up for up to that block
before the acknowledgement  gets the messages again and skips them by the marks
executing an action,        starts anew; a group that was delivered thrice has each of its actions
because of that action      executed in a process of its own, whose death is that action's outcome
a restore block's append    brings the state table up to it before it executes anything
==========================  ===================================================================
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import takewhile

from blockfold.application.catch_up import Behind, CatchUp
from blockfold.application.epoch import in_epoch
from blockfold.application.flush import flush
from blockfold.application.lost import check_not_lost
from blockfold.application.tail import Bounds, Tail
from blockfold.domain.action import Message
from blockfold.domain.apply import Guard, Runner, unguarded
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockConflict, BlockfoldError
from blockfold.domain.execute import execute
from blockfold.domain.limits import Limits
from blockfold.domain.machine import Machine
from blockfold.domain.marks import sift
from blockfold.domain.schedule import OFF, Schedule
from blockfold.domain.segments import begun
from blockfold.ports import Archive, BlockLog, Clock, Machines, SnapshotStore, StateTable

CACHED_MACHINES = 500
CACHED_BYTES = 256 * 1024 * 1024
"""Memory for what is known and pending of all cached machines, of the function's 1,769 MB."""

CACHED_SECONDS = 240.0
"""A cached head is trusted this long after the log last confirmed it. The commit proves that the
head's successor is free, not that the head is still there; pruning spares younger blocks."""


@dataclass(slots=True)
class Folded:
    """A group's messages, and what became of them so far.

    Attributes:
        machine: The machine's id.
        messages: The group's messages, in the queue's order.
        suspects: Ids of messages that were delivered so often that an action may be what ended
            their executors: their actions are run in processes of their own.
        done: Ids of the messages that stand wholly in blocks.
        blocks: Blocks committed.
        repeated: Messages that stood in blocks before.
        conflicts: How often another writer was first.
        replaced: Queues that were deleted and created again.
        error: What stopped the fold before all messages were done; None if nothing did, or time.
        flush_error: What kept the state table behind; None if nothing did, or time.
        waits: Why nothing can be executed yet: the table is being brought up to a restore.
        tail: The machine as the last commit left it.
    """

    machine: str
    messages: Sequence[Message] = ()
    suspects: Collection[str] = ()
    done: set[str] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)
    repeated: int = 0
    conflicts: int = 0
    replaced: list[str] = field(default_factory=list)
    error: Exception | None = None
    flush_error: BlockfoldError | None = None
    waits: Behind | None = None
    tail: Tail | None = field(default=None, repr=False)

    @property
    def left(self) -> list[Message]:
        """The messages that do not stand wholly in blocks."""
        return [message for message in self.messages if message.id not in self.done]

    @property
    def behind(self) -> bool:
        """Whether the state table lacks changes of blocks."""
        return self.tail is not None and self.tail.flushed < self.tail.head.number

    @property
    def pending(self) -> int:
        """Writes that the state table lacks."""
        return len(self.tail.pending) if self.tail is not None else 0

    @property
    def again(self) -> list[Message]:
        """The messages that the queue must deliver again, in order.

        If all are done but the state table is behind, that is the last one: it is recognised by
        the marks when it comes again, and brings the machine back to have its table flushed.
        """
        return self.left or (list(self.messages[-1:]) if self.behind else [])

    @property
    def failed(self) -> bool:
        """Whether trouble, not time, is why messages must come again."""
        return self.error is not None or self.flush_error is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Folds messages of any machine of one type; keeps heads between calls.

    Attributes:
        machine: The reducers.
        log: Where blocks are committed.
        table: The state table.
        machines: The register.
        snapshots: Where restore and fork blocks take their state from.
        clock: Time.
        schedule: The dumper schedule of a new machine.
        guard: Bounds each reducer's time.
        limits: When a block is full.
        bounds: How far the state table may lag.
        archive: Where blocks of a machine that seems to be new would stand, if it is not.
        confine: Makes what runs the actions of suspects; None runs them as all others.
    """

    machine: Machine
    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock
    schedule: Schedule = OFF
    guard: Guard = unguarded
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=Bounds)
    archive: Archive | None = None
    confine: Callable[[], AbstractContextManager[Runner]] | None = None
    _tails: OrderedDict[str, tuple[Tail, float]] = field(default_factory=OrderedDict)
    _catch_up: CatchUp = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """One catch-up for all machines: it keeps what it had no time for."""
        ports = (self.log, self.table, self.machines, self.snapshots, self.clock)
        object.__setattr__(self, "_catch_up", CatchUp(*ports, look_first=True))

    def fold(
        self,
        machine: str,
        messages: Sequence[Message],
        *,
        deadline: float,
        flush_deadline: float | None = None,
        suspects: Collection[str] = (),
    ) -> Folded:
        """Commit and flush as much as can be done in time.

        Args:
            machine: The machine's id.
            messages: Its messages, in the queue's order.
            deadline: When to stop executing, by the clock's ``monotonic``.
            flush_deadline: When to stop flushing; the same if None.
            suspects: Ids of those that may have ended their executors, see `Folded`.

        Returns:
            What was done. Trouble with a service is reported in it, not raised.
        """
        folded = Folded(machine, messages, suspects)
        self.commit(folded, deadline=deadline)
        self.flush(folded, deadline=deadline if flush_deadline is None else flush_deadline)
        return folded

    def commit(self, folded: Folded, *, deadline: float) -> None:
        """Commit as many of the messages that are left as can be done before the deadline.

        Stops early, as if time were out, when the state table cannot be kept within its bounds.
        """
        folded.waits = None
        try:
            folded.tail = self._tail(folded.machine, deadline)
            with ExitStack() as confinement:
                self._commit(folded, deadline, confinement)
        except Behind as waits:
            self._tails.pop(folded.machine, None)
            folded.tail, folded.waits = None, waits
        except BlockfoldError as error:
            self.forget(folded.machine)
            folded.tail, folded.error = None, error

    def flush(self, folded: Folded, *, deadline: float) -> None:
        """Bring the state table up to what was committed, as far as can be done in time.

        After trouble nothing is tried: the messages come again.
        """
        if folded.tail is not None and not folded.failed:
            self._flush(folded, folded.tail, deadline)

    def forget(self, machine: str) -> None:
        """Trust nothing that is cached of a machine."""
        self._tails.pop(machine, None)
        self._catch_up.forget(machine)

    def _commit(self, folded: Folded, deadline: float, confinement: ExitStack) -> None:
        assert folded.tail is not None, "it was opened"
        tail, left = folded.tail, folded.left
        runner: Runner | None = None
        while True:
            sifted = sift(tail.head.marks, left)
            done = {message.id for message in sifted.done}
            committed = {record.id for block in folded.blocks for record in block.body.messages}
            folded.repeated += len(done - committed)
            folded.done |= done
            folded.replaced += sifted.replaced
            left = list(sifted.todo)
            if not left or self.clock.monotonic() >= deadline:
                return
            if tail.is_full(self.bounds) and not self._flush(folded, tail, deadline):
                return
            suspects = list(takewhile(lambda each: each.id in folded.suspects, left))
            if suspects and self.confine is not None and runner is None:
                runner = confinement.enter_context(self.confine())
            block = execute(
                self.machine,
                tail.head,
                tail,
                # What others wait for is durable before anything is run in this process again.
                suspects or left,
                limits=self.limits,
                guard=self.guard,
                pressed=lambda: self.clock.monotonic() >= deadline,
                runner=runner if suspects else None,
            )
            try:
                self.log.append(block)
            except BlockConflict:
                folded.conflicts += 1
                for other in self.log.read(tail.head.machine, tail.head.number + 1):
                    tail.advance(other)
                if tail.stale:
                    tail = folded.tail = self._open(tail.head.machine, deadline)
            else:
                tail.advance(block)
                folded.blocks.append(block)
            self._remember(tail)

    def _flush(self, folded: Folded, tail: Tail, deadline: float) -> bool:
        """Flush; whether the table stands at the head now."""
        try:
            return flush(
                tail,
                self.table,
                self.machines,
                self.clock,
                bounds=self.bounds,
                deadline=deadline,
            )
        except BlockfoldError as error:
            folded.flush_error = error
            return False

    def _tail(self, machine: str, deadline: float) -> Tail:
        cached, confirmed = self._tails.get(machine, (None, 0.0))
        if cached is not None and self.clock.monotonic() - confirmed < CACHED_SECONDS:
            return cached
        self._tails.pop(machine, None)
        tail = self._open(machine, deadline)
        self._remember(tail)
        return tail

    def _open(self, machine: str, deadline: float) -> Tail:
        """Read a machine from its stores; finish interrupted restores, and flush a long tail."""
        tail = Tail.open(machine, self.log, self.table, self.machines, self.bounds)
        while tail.stale:  # another restore may come while this one is being finished
            self._catch_up.run(machine, deadline=deadline)
            tail = Tail.open(machine, self.log, self.table, self.machines, self.bounds)
        self._catch_up.forget(machine)
        if tail.head.number and not tail.registered:
            self._raise_epoch(tail)
        if tail.head.number == 0:
            check_not_lost(self.archive, self.log, machine)
            self.machines.register(machine, self.schedule)
        return tail

    def _raise_epoch(self, tail: Tail) -> None:
        """A machine whose record is lost goes on in the epoch that the archive knows."""
        machine = tail.head.machine
        begins = begun(self.archive.segments(machine)) if self.archive else {}
        if (epoch := max(begins, default=0)) > tail.head.epoch:
            self.machines.raise_watermark(machine, "epoch", epoch)
            tail.head = in_epoch(tail.head, self.machines.get(machine))

    def _remember(self, tail: Tail) -> None:
        """The log just confirmed this head."""
        self._tails[tail.head.machine] = (tail, self.clock.monotonic())
        self._tails.move_to_end(tail.head.machine)
        taken = sum(tail.memory for tail, _ in self._tails.values())
        while len(self._tails) > 1 and (len(self._tails) > CACHED_MACHINES or taken > CACHED_BYTES):
            _, (oldest, _) = self._tails.popitem(last=False)
            taken -= oldest.memory
