"""Fold a group's messages into committed blocks, then bring the state table up to date.

The state table may lag, but not for long: while it does, the group's last message is not
acknowledged, and above a bound no further block is committed. While a backlog keeps batches full,
it is left to lag on purpose, within narrower bounds: many writes to one key become one.

What happens if the process dies, after each call to the outside:

==========================  ===================================================================
after                       the next invocation
==========================  ===================================================================
reading head, marks, rows   starts anew: nothing was changed
spilling a body to S3       writes the same object again or another; an unnamed one is garbage
committing a block          finds the head's marks and skips what the block holds
some of the state writes    reads what is stored of the unflushed blocks, and writes the rest
all state writes            as above, and nothing is left to write
storing counters            finds rows that name the last block they count
raising ``flushed``         has nothing to make up for up to that block
before the acknowledgement  gets the messages again and skips them by the marks
executing an action,        starts anew; a group that was delivered thrice has each of its actions
because of that action      executed in a process of its own, whose death is that action's outcome
a restore block's append    brings the state table up to it before it executes anything
==========================  ===================================================================
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any

from blockfold.application.catch_up import Behind, CatchUp
from blockfold.application.counters import Gap
from blockfold.application.epoch import in_epoch
from blockfold.application.flush import flush
from blockfold.application.lanes import Call, Share, Steps, carry_out
from blockfold.application.lost import check_not_lost
from blockfold.application.prefetch import touched
from blockfold.application.rivals import Rivals
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
        gaps: Messages of idempotent producers that never came; later ones stand in blocks now.
        error: What stopped the fold before all messages were done; None if nothing did, or time.
        flush_error: What kept the state table behind; None if nothing did, or time.
        waits: Why nothing can be executed yet: the table is being brought up to a restore.
        backlog: Whether the queue surely has more of the group.
        cold: The machine was read from its stores: nothing was known of it, or not the newest.
        deferred: The state table was left behind on purpose.
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
    gaps: list[Gap] = field(default_factory=list)
    error: Exception | None = None
    flush_error: BlockfoldError | None = None
    waits: Behind | None = None
    backlog: bool = False
    cold: bool = False
    deferred: bool = False
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
        return len(self.tail.pending) + len(self.tail.counters) if self.tail is not None else 0

    @property
    def again(self) -> list[Message]:
        """The messages that the queue must deliver again, in order.

        If all are done but the state table is behind, that is the last one: it is recognised when
        it comes again, and brings the machine back to have its table flushed.
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
    _rivals: Rivals = field(default_factory=Rivals)
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
        backlog: bool = False,
    ) -> Folded:
        """Commit and flush as much as can be done in time.

        Args:
            machine: The machine's id.
            messages: Its messages, in the queue's order.
            deadline: When to stop executing, by the clock's ``monotonic``.
            flush_deadline: When to stop flushing; the same if None.
            suspects: Ids of those that may have ended their executors, see `Folded`.
            backlog: Whether the queue surely has more of the machine.

        Returns:
            What was done. Trouble with a service is reported in it, not raised.
        """
        folded = Folded(machine, messages, suspects, backlog=backlog)
        carry_out(self.commit(folded, Share(deadline)))
        self.flush(folded, deadline=deadline if flush_deadline is None else flush_deadline)
        return folded

    def commit(self, folded: Folded, share: Share, *, short: int = -1) -> Steps:
        """Commit as many of the messages that are left as can be done in time, call by call.

        Stops early, as if time were out, when the state table cannot be kept within its bounds.

        Args:
            folded: The messages.
            share: Until when actions may be executed.
            short: Pending writes up to which the state table is flushed, too; see `flush`.
        """
        folded.waits = None
        try:
            yield from self._opened(folded, share)
            with ExitStack() as confinement:
                yield from self._commit(folded, share, short, confinement)
        except Behind as waits:
            self._tails.pop(folded.machine, None)
            folded.tail, folded.waits = None, waits
        except BlockfoldError as error:
            self.forget(folded.machine)
            folded.tail, folded.error = None, error
        if folded.behind and not folded.deferred and folded.pending <= short:
            yield lambda: self.flush(folded, deadline=share.until)

    def flush(self, folded: Folded, *, deadline: float) -> None:
        """Bring the state table up to what was committed, as far as can be done in time.

        After trouble nothing is tried: the messages come again. Nor under a backlog, within the
        bounds of the lag, by an executor that keeps up with the machine: it will be the next one
        to fold it, and the fewer writes there will be.
        """
        if folded.tail is None or folded.failed:
            return
        folded.deferred = self._is_deferred(folded, folded.tail)
        if not folded.deferred:
            self._flush(folded, folded.tail, deadline)

    def forget(self, machine: str) -> None:
        """Trust nothing that is cached of a machine."""
        self._tails.pop(machine, None)
        self._catch_up.forget(machine)

    def _is_deferred(self, folded: Folded, tail: Tail) -> bool:
        if not folded.backlog or not folded.blocks or folded.left or folded.cold:
            return False
        return tail.may_lag(self.bounds, self.clock.monotonic())

    def _commit(self, folded: Folded, share: Share, short: int, confinement: ExitStack) -> Steps:
        assert folded.tail is not None, "it was opened"
        tail, left = folded.tail, folded.left
        runner: Runner | None = None

        def is_over() -> bool:
            return self.clock.monotonic() >= share.until

        untried = not folded.cold  # a cached head: what became of the machine since?
        if untried and left and self._rivals.likely:
            untried, tail = False, (yield from self._follow(folded, tail, share))
            self._rivals.note(changed=folded.cold)
        while True:
            if named := tail.counters.unknown(left):
                yield partial(tail.counters.read, named)
            sifted = sift(tail.head.marks, left, tail.counters.of(left))
            if untried and sifted.done and not sifted.left:
                # What is acknowledged without a commit is acknowledged on a head that was checked.
                untried, tail = False, (yield from self._follow(folded, tail, share))
                self._rivals.note(changed=folded.cold)
                continue
            done = {message.id for message in sifted.done}
            committed = {record.id for block in folded.blocks for record in block.body.messages}
            folded.repeated += len(done - committed)
            folded.done |= done
            folded.replaced += sifted.replaced
            left, todo = list(sifted.left), list(sifted.todo)
            if not left or is_over():
                return
            if tail.is_full(self.bounds) and not self._flush(folded, tail, share.until):
                return
            suspects = list(takewhile(lambda each: each.id in folded.suspects, todo))
            if suspects and self.confine is not None and runner is None:
                runner = confinement.enter_context(self.confine())
            if not suspects:
                yield from self._prefetch(tail, todo)
            block = execute(
                self.machine,
                tail.head,
                tail,
                # What others wait for is durable before anything is run in this process again.
                suspects or todo,
                limits=self.limits,
                guard=self.guard,
                pressed=is_over,
                runner=runner if suspects else None,
            )
            try:
                yield partial(self._append, folded, block, left, share, short)
            except BlockConflict:
                folded.conflicts += 1
                tail = yield from self._follow(folded, tail, share)
            self._remember(tail)
            if untried:
                untried = False
                self._rivals.note(changed=folded.cold)

    def _prefetch(self, tail: Tail, todo: Sequence[Message]) -> Steps:
        """Read the keys that actions declare. Trouble is left to the reads of the reducers."""
        if unknown := tail.unknown(touched(self.machine, todo)):
            with suppress(BlockfoldError):
                yield partial(tail.fetch, unknown)

    def _append(
        self, folded: Folded, block: Block, left: Sequence[Message], share: Share, short: int
    ) -> None:
        """Commit a block; if it was the last, and there is little to flush, do that at once.

        Raises:
            BlockConflict: Another writer was first.
        """
        assert folded.tail is not None, "it was opened"
        self.log.append(block)
        folded.gaps += folded.tail.advance(block)
        folded.blocks.append(block)
        if _ends(block, left):
            folded.done.update(message.id for message in left)
            if folded.pending <= short:
                self.flush(folded, deadline=share.until)

    def _follow(self, folded: Folded, tail: Tail, share: Share) -> Generator[Call, Any, Tail]:
        """Go on to where others brought the machine, if anybody did."""
        folded.cold = bool((yield partial(self._catch_on, tail))) or folded.cold
        if tail.stale:
            tail = folded.tail = yield from self._open(tail.head.machine, share)
        self._remember(tail)
        return tail

    def _catch_on(self, tail: Tail) -> bool:
        """Bring a tail to what others committed on top of it; whether anybody did.

        Of more than the bounds allow it is only told that the tail is stale.
        """
        machine = tail.head.machine
        record = self.machines.get(machine)
        number, size = tail.head.number, 0
        others: list[Block] = []
        for block in self.log.read(machine, number + 1):
            others.append(block)
            size += len(block.payload)
            if size > self.bounds.payload:
                tail.stale = True
                return True
        if others:
            tail.follow(others, record.flushed if record else 0)
        return bool(others)

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

    def _opened(self, folded: Folded, share: Share) -> Steps:
        """Find a machine's tail in the cache, or read it."""
        machine = folded.machine
        cached, confirmed = self._tails.get(machine, (None, 0.0))
        if cached is not None and self.clock.monotonic() - confirmed < CACHED_SECONDS:
            folded.tail = cached
            return
        self._tails.pop(machine, None)
        folded.cold = True
        folded.tail = yield from self._open(machine, share)
        self._remember(folded.tail)

    def _open(self, machine: str, share: Share) -> Generator[Call, Any, Tail]:
        """Read a machine from its stores; finish interrupted restores, and flush a long tail."""
        read = partial(Tail.open, machine, self.log, self.table, self.machines, self.bounds)
        tail: Tail = yield read
        while tail.stale:  # another restore may come while this one is being finished
            self._catch_up.run(machine, deadline=share.until)
            tail = yield read
        self._catch_up.forget(machine)
        if tail.head.number and not tail.registered:
            self._raise_epoch(tail)
        if tail.head.number == 0:
            yield partial(self._begin, machine)
        return tail

    def _begin(self, machine: str) -> None:
        check_not_lost(self.archive, self.log, machine)
        self.machines.register(machine, self.schedule)

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


def _ends(block: Block, left: Sequence[Message]) -> bool:
    """Whether nothing of the messages is left after a block."""
    records = block.body.messages
    whole = all(mark.next is None for mark in block.body.marks)
    return whole and [each.id for each in records] == [each.id for each in left]
