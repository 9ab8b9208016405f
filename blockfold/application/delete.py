"""Delete one machine for good: its rows, its blocks, its objects, and its place in the register.

Planned first. Refused while machines stand that were forked from it: their snapshots go on using
files in this machine's folder. Its intake must be paused: nothing else may work on it meanwhile.

First of all the record says `GONE`: that the state table holds a block which no log reaches. An
executor that sees this refuses to go on, whatever else is deleted already.

What happens if the process dies, after each step:

==============================  ==============================================================
after                           the same deletion, run again
==============================  ==============================================================
the record says `GONE`          goes on; executors refuse the machine, its actions wait
some rows, some blocks          deletes the rest, as below
some objects                    deletes the rest; the archive goes last, because an executor
                                refuses a machine that has one and no blocks
the record                      finds nothing, or what came late
==============================  ==============================================================

Until objects are deleted, `blockfold rebuild` brings the machine back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from blockfold.application.counters import partition_of
from blockfold.application.drill import scratch_of
from blockfold.application.lost import GONE
from blockfold.application.rebuild import Progress, archived_head, ignore, machines_in
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted, NotFound, Refused
from blockfold.domain.keys import archive_prefix, machine_prefix
from blockfold.domain.segments import cover
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    Eraser,
    MachineRecord,
    Machines,
    ObjectStore,
    StateTable,
)

PATIENCE_SECONDS = 330.0
"""How long to wait for the archiver. It gathers blocks for 300 seconds at most; what it stores
after the deletion would look like a machine that was lost."""

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePlan:
    """What a deletion would delete.

    Attributes:
        machine: The machine's id.
        head: Its newest block; 0 if there is none.
        blocks: Blocks in the table, about: some of the pruned ones may still be there.
        rows: Rows of the state table, tombstones and counters of producers included.
        objects: Objects in its folder.
        bytes: Their size.
        heirs: The machines that were forked from it.
        begun: Whether a deletion was begun before.
    """

    machine: str
    head: int
    blocks: int
    rows: int
    objects: int
    bytes: int
    heirs: tuple[str, ...] = ()
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a deletion deleted.

    Attributes:
        machine: The machine's id.
        rows: Rows of the state table.
        blocks: Blocks of the table.
        objects: Objects.
        late: Whether the archiver still had blocks to store; it may store them yet.
    """

    machine: str
    rows: int
    blocks: int
    objects: int
    late: bool = False


def refuse_heirs(machine: str, heirs: Sequence[str]) -> None:
    """Let a machine with heirs be.

    Raises:
        Refused: It has some.
    """
    if heirs:
        raise Refused(
            f"machine {machine!r} cannot be deleted: {', '.join(heirs)} "
            f"{'was' if len(heirs) == 1 else 'were'} forked from it",
            hint="their snapshots use files of this machine: delete them first",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleter:
    """Deletes machines.

    Attributes:
        live: The Blocks table alone.
        archive: The archive.
        table: The state table.
        machines: The register.
        objects: The bucket.
        eraser: Deletes what the tables hold.
        clock: Time.
    """

    live: BlockLog
    archive: Archive
    table: StateTable
    machines: Machines
    objects: ObjectStore
    eraser: Eraser
    clock: Clock

    def plan(self, machine: str) -> DeletePlan:
        """What `carry_out` would delete, changing nothing.

        Raises:
            NotFound: Nothing is known of the machine.
            Corrupted: Of another machine, it cannot be told where it comes from.
        """
        record, newest = self.machines.get(machine), self.live.head(machine)
        oldest = next(iter(self.live.read(machine, 1)), None)
        stored = [each.bytes for each in self.objects.list(machine_prefix(machine))]
        partitions = (machine, partition_of(machine))
        rows = sum(1 for each in partitions for _ in self.table.scan(each))
        if record is None and newest is None and not stored and not rows:
            raise NotFound(
                f"there is no machine {machine!r}", hint="`blockfold machines` lists all"
            )
        return DeletePlan(
            machine=machine,
            head=newest.number if newest else 0,
            blocks=newest.number - oldest.number + 1 if newest and oldest else 0,
            rows=rows,
            objects=len(stored),
            bytes=sum(stored),
            heirs=tuple(self._heirs(machine)),
            begun=record is not None and record.flushed == GONE,
        )

    def carry_out(self, plan: DeletePlan, progress: Progress = ignore) -> Deleted:
        """Delete the machine; its intake must be paused.

        Args:
            plan: What was planned.
            progress: Told of ``rows``, ``blocks`` and ``objects`` deleted.

        Raises:
            Refused: Machines stand that were forked from it.
            Unavailable: A service failed: delete again, the rest goes then.
        """
        machine = plan.machine
        refuse_heirs(machine, [*self._heirs(machine)])
        record = self.machines.get(machine) or MachineRecord(machine)
        self.machines.put(replace(record, flushed=GONE, restoring=None))
        late = not self._is_archived(machine)
        for scratch in (scratch_of(machine), partition_of(scratch_of(machine))):
            self.eraser.erase_state(scratch)
        rows = sum(map(self.eraser.erase_state, (machine, partition_of(machine))))
        progress("rows", rows)
        blocks = self.eraser.erase_blocks(machine)
        progress("blocks", blocks)
        refuse_heirs(machine, [*self._heirs(machine)])  # nobody can fork a machine without blocks
        objects = self._erase_objects(machine, progress)
        self.eraser.erase_record(machine)
        return Deleted(machine=machine, rows=rows, blocks=blocks, objects=objects, late=late)

    # -- heirs -------------------------------------------------------------------------------

    def _heirs(self, machine: str) -> Iterator[str]:
        """The machines that were forked from another, by their first block."""
        known = {record.machine for record in self.machines.list()} | {*machines_in(self.objects)}
        for other in sorted(known - {machine}):
            first = self.live.get(other, 1) or self._first_archived(other)
            origin = first.body.origin if first else None
            if origin is not None and origin.kind == "fork" and origin.machine == machine:
                yield other

    def _first_archived(self, machine: str) -> Block | None:
        """Block 1 of a machine as the archive has it."""
        for piece in cover(self.archive.segments(machine), 1, 1):
            return next(iter(self.archive.read(piece.segment)), None)
        return None

    # -- deleting ----------------------------------------------------------------------------

    def _is_archived(self, machine: str) -> bool:
        """Wait until the archiver has stored the head; whether it has."""
        newest = self.live.head(machine)
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while newest is not None:
            try:
                archived = archived_head(self.archive, machine, self.live)
            except Corrupted:
                return True  # a damaged archive is deleted as well as a sound one
            if archived is not None and archived.number >= newest.number:
                break
            if self.clock.monotonic() >= deadline:
                return False
            self.clock.sleep(POLL_SECONDS)
        return True

    def _erase_objects(self, machine: str, progress: Progress) -> int:
        """Delete a machine's folder, the archive last; how many objects it held."""
        archived = archive_prefix(machine)
        erased = 0
        for last in (False, True):
            keys = [each.key for each in self.objects.list(machine_prefix(machine))]
            chosen = [key for key in keys if last or not key.startswith(archived)]
            self.objects.delete(chosen)
            erased += len(chosen)
            progress("objects", erased)
        return erased
