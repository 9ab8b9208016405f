"""Fold a group's messages into committed blocks, then bring the state table up to date.

What happens if the process dies, after each call to the outside:

==========================  ===================================================================
after                       the next invocation
==========================  ===================================================================
reading head, marks, rows   starts anew: nothing was changed
spilling a body to S3       writes the same object again or another; an unnamed one is garbage
committing a block          finds the head's marks and skips what the block holds
some of the state writes    rolls the unflushed blocks forward again; the fence drops repeats
all state writes            as above, every write is fenced off
raising ``flushed``         has nothing to make up for
before the acknowledgement  gets the messages again and skips them by the marks
a restore block's append    brings the state table up to it before it executes anything
==========================  ===================================================================
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from blockfold.application.catch_up import CatchUp
from blockfold.application.tail import Tail
from blockfold.domain.action import Message
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockConflict, BlockfoldError
from blockfold.domain.execute import Guard, Limits, execute, unguarded
from blockfold.domain.machine import Machine
from blockfold.domain.marks import sift
from blockfold.domain.schedule import OFF, Schedule
from blockfold.ports import BlockLog, Clock, Machines, SnapshotStore, StateTable

CACHED_MACHINES = 500
CACHED_BYTES = 256 * 1024 * 1024
"""Memory for the known entries of all cached machines, of the 1,769 MB that the function has."""

CACHED_SECONDS = 240.0
"""A cached head is trusted this long after the log last confirmed it. The commit proves that the
head's successor is free, not that the head is still there; pruning spares younger blocks."""


@dataclass(slots=True)
class Folded:
    """What became of a group's messages.

    Attributes:
        machine: The machine's id.
        done: Ids of the messages that stand wholly in blocks.
        blocks: Blocks committed by this call.
        repeated: Messages that stood in blocks before.
        conflicts: How often another writer was first.
        replaced: Queues that were deleted and created again.
        error: What stopped the fold before all messages were done; None if nothing did.
        flush_error: What kept the state table behind; the next call makes up for it.
    """

    machine: str
    done: set[str] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)
    repeated: int = 0
    conflicts: int = 0
    replaced: list[str] = field(default_factory=list)
    error: BlockfoldError | None = None
    flush_error: BlockfoldError | None = None


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
    _tails: OrderedDict[str, tuple[Tail, float]] = field(default_factory=OrderedDict)

    def fold(self, machine: str, messages: Sequence[Message], *, deadline: float) -> Folded:
        """Commit as many of the messages as can be done before the deadline.

        Args:
            machine: The machine's id.
            messages: Its messages, in the queue's order.
            deadline: When to stop taking on work, by the clock's ``monotonic``.

        Returns:
            What was done. Trouble with a service is reported in it, not raised.
        """
        folded = Folded(machine)
        try:
            tail = self._commit(self._tail(machine, deadline), messages, deadline, folded)
        except BlockfoldError as error:
            self.forget(machine)
            folded.error = error
            return folded
        try:
            self._flush(tail)
        except BlockfoldError as error:
            folded.flush_error = error
        return folded

    def forget(self, machine: str) -> None:
        """Trust nothing that is cached of a machine."""
        self._tails.pop(machine, None)

    def _commit(
        self, tail: Tail, messages: Sequence[Message], deadline: float, folded: Folded
    ) -> Tail:
        left = messages
        while True:
            sifted = sift(tail.head.marks, left)
            done = {message.id for message in sifted.done}
            committed = {record.id for block in folded.blocks for record in block.body.messages}
            folded.repeated += len(done - committed)
            folded.done |= done
            folded.replaced += sifted.replaced
            left = sifted.todo
            if not left or self.clock.monotonic() >= deadline:
                return tail
            block = execute(
                self.machine,
                tail.head,
                tail,
                left,
                limits=self.limits,
                guard=self.guard,
                pressed=lambda: self.clock.monotonic() >= deadline,
            )
            try:
                self.log.append(block)
            except BlockConflict:
                folded.conflicts += 1
                for other in self.log.read(tail.head.machine, tail.head.number + 1):
                    tail.advance(other)
                if tail.stale:
                    tail = self._open(tail.head.machine, deadline)
            else:
                tail.advance(block)
                folded.blocks.append(block)
            self._remember(tail)

    def _flush(self, tail: Tail) -> None:
        if tail.flushed == tail.head.number:
            return
        self.table.write(tail.head.machine, tail.writes())
        self.machines.raise_flushed(tail.head.machine, tail.head.number)
        tail.settle()

    def _tail(self, machine: str, deadline: float) -> Tail:
        cached, confirmed = self._tails.get(machine, (None, 0.0))
        if cached is not None and self.clock.monotonic() - confirmed < CACHED_SECONDS:
            return cached
        self.forget(machine)
        tail = self._open(machine, deadline)
        self._remember(tail)
        return tail

    def _open(self, machine: str, deadline: float) -> Tail:
        """Read a machine from its stores, and finish restores that were interrupted."""
        tail = Tail.open(machine, self.log, self.table, self.machines)
        while tail.stale:  # another restore may come while this one is being finished
            CatchUp(self.log, self.table, self.machines, self.snapshots, self.clock).run(
                machine, deadline=deadline
            )
            tail = Tail.open(machine, self.log, self.table, self.machines)
        if tail.head.number == 0:
            self.machines.register(machine, self.schedule)
        return tail

    def _remember(self, tail: Tail) -> None:
        """The log just confirmed this head."""
        self._tails[tail.head.machine] = (tail, self.clock.monotonic())
        self._tails.move_to_end(tail.head.machine)
        known = sum(tail.known_bytes for tail, _ in self._tails.values())
        while len(self._tails) > 1 and (len(self._tails) > CACHED_MACHINES or known > CACHED_BYTES):
            _, (oldest, _) = self._tails.popitem(last=False)
            known -= oldest.known_bytes
