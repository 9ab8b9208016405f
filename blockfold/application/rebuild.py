"""Rebuild a machine's tables from the bucket: from its archive, its snapshots, its kept settings.

Nothing is guessed: the head is the last archived block, every block goes back as it was, and every
row of the state table gets the value and the number of the block that wrote it; so do the counters
of idempotent producers. What was committed
and never archived is lost; the epoch rises, so that it cannot be taken for what comes after.

What happens if the process dies, after each step (the queue is paused until the last one):

==============================  ==============================================================
after                           the same rebuild, run again
==============================  ==============================================================
the epoch was begun             begins another one, at the same block
the record says `REBUILDING`    says it again; executors refuse the machine until the last step
the head block                  finds the head; the blocks below it may be missing
some blocks                     puts back those that are missing
some rows                       writes the rows that are missing
the record                      finds nothing missing
==============================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from blockfold.application.counter_rows import CounterFold, put_back
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.lost import REBUILDING
from blockfold.application.writers import last_writers, rows_of
from blockfold.domain import digest
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted, NotFound, Refused
from blockfold.domain.keys import archive_prefix, machine_of, recorder_key
from blockfold.domain.retention import KEEP_ALL
from blockfold.domain.schedule import OFF, Schedule
from blockfold.domain.segments import Segment, begun, cover, gaps
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    Eraser,
    MachineRecord,
    Machines,
    ObjectStore,
    Row,
    SnapshotStore,
    StateTable,
    Write,
)

CHUNK = 500
"""Rows written between two reports of progress."""


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """What a rebuild starts from, and what it will put back.

    Attributes:
        machine: The machine's id.
        number: The head that the machine will have: its last archived block, or the table's own
            head if that is newer.
        hash: That block's hash.
        digest: The state digest there.
        first: The oldest block that will stand in the table.
        blocks: How many blocks are to be put back.
        begins: Whether an epoch begins, because the table's head is lost.
        epoch: The epoch of the blocks to come.
        record: Whether the machine is still registered.
    """

    machine: str
    number: int
    hash: str
    digest: str
    first: int
    blocks: int
    begins: bool
    epoch: int
    record: bool


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        machine: The machine's id.
        number: The machine's head.
        hash: That block's hash.
        digest: The state digest there.
        epoch: The epoch of the blocks to come.
        blocks: Blocks that were put back.
        rows: Rows of the state table that were put back, counters of producers among them.
        erased: Rows that were deleted before, because they were of blocks that are lost.
        found: The digest of the rows. Another one than the head's means that blocks were executed
            on a table that had lost rows; the rows are what the log says all the same.
    """

    machine: str
    number: int
    hash: str
    digest: str
    epoch: int
    blocks: int
    rows: int
    erased: int
    found: str

    @property
    def ok(self) -> bool:
        """Whether the state is the one that the head's digest is of."""
        return self.found == self.digest


Progress = Callable[[str, int], None]
"""Told what was done (``blocks`` read, ``rows`` written …) and how many of it so far."""


def ignore(_what: str, _count: int) -> None:
    """A progress callback that does nothing."""


def machines_in(objects: ObjectStore) -> list[str]:
    """The machines that a bucket has archived blocks of, by id; not those of a recorder alone."""
    known = sorted(machine_of(folder) for folder in objects.folders("machines/"))
    return [machine for machine in known if _is_a_stacks(objects, machine)]


def _is_a_stacks(objects: ObjectStore, machine: str) -> bool:
    """Whether a stack has the machine: what a recorder began, only once a rebuild took it over."""
    keys = [each.key for each in objects.list(archive_prefix(machine))]
    if objects.stat(recorder_key(machine)) is None:
        return bool(keys)
    named = (Segment.named(machine, key) for key in keys)
    return any(segment is not None and segment.epoch > 0 for segment in named)


def archived_head(archive: Archive, machine: str, live: BlockLog | None = None) -> Block | None:
    """The last block of the archive, whose blocks must go back to the first without a hole.

    Args:
        archive: The archive.
        machine: The machine's id.
        live: The Blocks table, which may still have what the archive lacks; None for a bucket
            that stands alone.

    Raises:
        Corrupted: There is a hole, or the last segment is damaged.
    """
    segments = archive.segments(machine)
    pieces = list(cover(segments, 1))
    if not pieces:
        return None
    last = pieces[-1].last
    for first, end in gaps(segments, 1, last):
        there = [block.number for block in live.read(machine, first, end)] if live else []
        if there != list(range(first, end + 1)):
            raise Corrupted(
                f"the archive of machine {machine!r} lacks blocks {first} to {end}",
                hint="`blockfold verify` names what is damaged, `blockfold repair` heals it; "
                "a fork from a snapshot above them works without them",
            )
    found = [block for block in archive.read(pieces[-1].segment) if block.number == last]
    return found[0] if found else None


def oldest_kept(record: MachineRecord, head: int) -> int:
    """The oldest block that the table has to hold: pruned ones are read from the archive."""
    newest = record.retention.blocks
    only_count = newest is not None and record.retention.days is None
    return max(record.pruned, head - newest if only_count and newest else 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilder:
    """Puts lost tables back. Nothing else may work on the machine meanwhile: pause its intake.

    Attributes:
        live: The Blocks table alone.
        log: The same with the archive behind it.
        archive: The archive.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
        objects: The bucket.
        eraser: Deletes rows of blocks that are lost.
        clock: Time.
        schedule: The dumper schedule of a machine whose settings were never kept.
    """

    live: BlockLog
    log: BlockLog
    archive: Archive
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    objects: ObjectStore
    eraser: Eraser
    clock: Clock
    schedule: Schedule

    def found(self) -> list[str]:
        """The machines that the bucket knows, by id."""
        return machines_in(self.objects)

    def plan(self, machine: str) -> RebuildPlan:
        """What `carry_out` would do, changing nothing.

        Raises:
            NotFound: Neither table nor archive know the machine.
            Corrupted: The archive has a hole or is damaged, or the table holds another history.
        """
        newest = self.live.head(machine)
        archived = archived_head(self.archive, machine, self.live)
        if archived is None and newest is None:
            raise NotFound(
                f"nothing is archived of machine {machine!r}",
                hint="`blockfold rebuild --all` names the machines that the bucket knows",
            )
        record = self._record(machine)
        above = newest is not None and (archived is None or newest.number >= archived.number)
        head = newest if above else archived
        assert head is not None, "one of the two is"
        if not above:
            self._check_common(machine, newest)
        begins = begun(self.archive.segments(machine))
        epoch = max([record.epoch, head.header.epoch, *begins])
        first = oldest_kept(record, head.number)
        # All of them are counted: a warm executor may have gone on above those that are lost.
        present = sum(1 for _ in self.live.read(machine, first))
        if not above or self._outlived(machine, head):
            epoch += 1  # no block has it, nor one that an earlier rebuild lost again
        return RebuildPlan(
            machine=machine,
            number=head.number,
            hash=head.hash,
            digest=head.header.digest,
            first=first,
            blocks=head.number - first + 1 - present,
            begins=not above,
            epoch=epoch,
            record=self.machines.get(machine) is not None,
        )

    def carry_out(self, plan: RebuildPlan, progress: Progress = ignore) -> Rebuilt:
        """Put blocks, rows and record back; the queue must be paused.

        Raises:
            Refused: The machine has gone on since the plan was made.
            Corrupted: Archive or snapshots are damaged.
            Unavailable: A service failed: rebuild again, what was done is found.
        """
        if self.plan(plan.machine) != plan:
            raise Refused(
                f"machine {plan.machine!r} has changed since the rebuild was planned",
                hint="pause its intake and plan again",
            )
        machine = plan.machine
        record = self._record(machine)
        record = replace(record, flushed=REBUILDING, restoring=None, epoch=plan.epoch)
        record = _at_most(record, plan.number)
        if plan.begins:
            self.archive.begin(machine, plan.epoch, self._newest(plan))
        self.machines.put(record)
        if not plan.begins and (head := self.live.head(machine)) is not None:
            self.archive.delete(self._outlived(machine, head))
        blocks = self._put_back(plan, progress) if plan.blocks else 0
        sums = _Sums()
        rows, erased = self._write_rows(plan, sums, progress)
        self._retire_lost(plan)
        record = self._finished(record, plan)
        KeptSettings(self.objects).keep(record)
        self.machines.put(record)
        return Rebuilt(
            machine=machine,
            number=plan.number,
            hash=plan.hash,
            digest=plan.digest,
            epoch=plan.epoch,
            blocks=blocks,
            rows=rows,
            erased=erased,
            found=sums.digest,
        )

    # -- where it stands -----------------------------------------------------------------------

    def _check_common(self, machine: str, newest: Block | None) -> None:
        """What is left in the table must be a part of the archived history."""
        if newest is None:
            return
        number = newest.number
        archived = next(
            (
                block
                for piece in cover(self.archive.segments(machine), number, number)
                for block in self.archive.read(piece.segment)
                if block.number == number
            ),
            None,
        )
        if archived is not None and archived.hash != newest.hash:
            raise Corrupted(
                f"block {number} of machine {machine!r} in the table is another than the archived",
                hint="the machine was begun anew after its table was lost: take its items out of "
                "the three tables, then rebuild again",
            )

    def _record(self, machine: str) -> MachineRecord:
        """The record as it is, or what the bucket has kept of it.

        A record without settings was begun by a watermark that somebody raised after the loss.
        """
        record = self.machines.get(machine)
        if record is not None and (record.revision or record.schedule != OFF):
            return record
        kept = KeptSettings(self.objects).newest(machine)
        if kept is None:
            return record or MachineRecord(machine, schedule=self.schedule)
        return replace(
            record or MachineRecord(machine),
            schedule=Schedule(kept.schedule),
            retention=kept.retention,
            revision=kept.revision,
        )

    def _outlived(self, machine: str, head: Block) -> list[Segment]:
        """Marks of later epochs at or below the head of a table that never learnt of them.

        Whoever committed since did so in the old epoch, because the machine's record was lost.

        Raises:
            Corrupted: Such an epoch has blocks of its own.
        """
        later = [
            segment
            for segment in self.archive.segments(machine)
            if segment.epoch > head.header.epoch and segment.first <= head.number
        ]
        for segment in later:
            if segment.blocks:
                raise Corrupted(
                    f"the Blocks table of machine {machine!r} goes on in epoch "
                    f"{head.header.epoch}, its archive in epoch {segment.epoch}: two histories",
                    hint=f"fork the one that is right from a snapshot, or move {segment.key} away",
                )
        return later

    def _retire_lost(self, plan: RebuildPlan) -> None:
        """Remove the snapshots of blocks that are lost: their numbers come again."""
        for number in self.snapshots.numbers(plan.machine):
            if number > plan.number:
                manifest = self.snapshots.get(plan.machine, number)
                if manifest is not None:
                    self.snapshots.retire(manifest)

    # -- putting back --------------------------------------------------------------------------

    def _put_back(self, plan: RebuildPlan, progress: Progress) -> int:
        """Append the missing blocks, the head first: it says how far the log goes."""
        done = 0
        present = {block.number for block in self.live.read(plan.machine, plan.first)}
        if plan.number not in present:
            self.live.append(self._newest(plan))
            done += 1
        for block in self.log.read(plan.machine, plan.first, plan.number):
            if block.number not in present and block.number != plan.number:
                self.live.append(block)
                done += 1
                progress("blocks", done)
        return done

    def _write_rows(self, plan: RebuildPlan, sums: _Sums, progress: Progress) -> tuple[int, int]:
        """Bring the state table to the head, row by row; how many were written and erased."""
        counters = CounterFold()

        def read(block: Block) -> None:
            counters.note(block)
            progress("read", block.number)

        writers = last_writers(self.log, self.snapshots, plan.machine, plan.number, read)
        written, erased = put_back(self.table, self.eraser, plan.machine, counters)
        if not self._agrees(plan, writers):
            erased += self.eraser.erase_state(plan.machine)
        missing = self._missing(plan, sums.watch(self._wanted(plan, writers)))
        while chunk := [*islice(missing, CHUNK)]:
            self.table.write(plan.machine, chunk)
            written += len(chunk)
            progress("rows", written)
        return written, erased

    def _newest(self, plan: RebuildPlan) -> Block:
        """The head to be put back.

        Raises:
            Refused: The archive has grown since the plan was made.
        """
        newest = archived_head(self.archive, plan.machine, self.live)
        if newest is None or newest.hash != plan.hash:
            raise Refused(
                f"the archive of machine {plan.machine!r} has grown since the rebuild was planned",
                hint="rebuild again: that block is saved, too",
            )
        return newest

    def _agrees(self, plan: RebuildPlan, writers: dict[str, int]) -> bool:
        """Whether each row that is there can stay, or is older and will be overwritten."""
        wanted = self._wanted(plan, writers)
        target = next(wanted, None)
        for row in self.table.scan(plan.machine):
            while target is not None and target.key < row.key:
                target = next(wanted, None)
            if target is None or target.key != row.key or row.block > target.block:
                return False
            if row.block == target.block and row.value != target.value:
                return False
        return True

    def _missing(self, plan: RebuildPlan, wanted: Iterator[Row]) -> Iterator[Write]:
        """The rows that the table lacks or has of an older block."""
        rows = self.table.scan(plan.machine)
        row = next(rows, None)
        for target in wanted:
            while row is not None and row.key < target.key:
                row = next(rows, None)
            if row is None or row.key != target.key:
                yield Write(target.key, target.value, target.block, new=True)
            elif row != target:
                yield Write(target.key, target.value, target.block)

    def _wanted(self, plan: RebuildPlan, writers: dict[str, int]) -> Iterator[Row]:
        return rows_of(self.log, self.snapshots, plan.machine, plan.number, writers)

    def _finished(self, record: MachineRecord, plan: RebuildPlan) -> MachineRecord:
        """The record of a machine whose tables are whole."""
        taken = self.snapshots.numbers(plan.machine)
        due = [number for number in taken if record.schedule.due(number)]
        dumped = max(due, default=0)
        missing = set(record.schedule.due_between(1, dumped)) - set(taken)
        thinned = max(missing, default=0) if record.retention != KEEP_ALL else 0
        archived = [piece.last for piece in cover(self.archive.segments(plan.machine), 1)]
        return replace(
            record,
            flushed=plan.number,
            dumped=max(record.dumped, dumped),
            thinned=max(record.thinned, thinned),
            archived=max(record.archived, min([plan.number, *archived[-1:]]) if archived else 0),
            pruned=max(record.pruned, plan.first - 1),
        )


def _at_most(record: MachineRecord, number: int) -> MachineRecord:
    """A record that speaks of no block above a number."""
    if record.newest > number:
        record = replace(record, newest=0, noted=0)
    return replace(
        record,
        dumped=min(record.dumped, number),
        archived=min(record.archived, number),
        verified=min(record.verified, number),
        pruned=min(record.pruned, number),
        thinned=min(record.thinned, number),
    )


class _Sums:
    """Adds up the rows that pass."""

    def __init__(self) -> None:
        self._total = digest.EMPTY

    @property
    def digest(self) -> str:
        return digest.digest_of(self._total)

    def watch(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self._total = digest.replace(self._total, row.key, None, row.value)
            yield row
