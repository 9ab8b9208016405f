"""The pruner: lets go of what retention does not keep, and deletes what nothing needs.

A plan is made first and is a value: what would go, and why nothing more. Carrying it out changes
exactly that. Snapshots go by a copy of their manifest that stays for a day (their runs become
garbage after that), blocks by DynamoDB's time to live (`blockfold.application.prune_blocks`), and
garbage at once (`blockfold.application.collect`).

What happens if the process dies: before a snapshot is removed, ``thinned`` says so, and it is
removed next time; all else is found again as well. Two pruners at once do the same things twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from blockfold.application.collect import dead_bodies, is_old, look, old_runs
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.prune_blocks import NEWEST_STAY, mark, prunable, read_whole
from blockfold.application.prune_plan import Pruning
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError, NotFound
from blockfold.domain.retention import DAY, Retention, checked, retired
from blockfold.domain.segments import Segment, cover, superseded
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    MachineRecord,
    Machines,
    ObjectStore,
    SnapshotStore,
    Stored,
)

QUIET_DAYS = 7
"""After so many days without a block, nothing but time can make something superfluous."""

OUT_OF_TIME = "time ran out: the rest is left for the next time"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a machine's past, and how far it was pruned.

    Attributes:
        record: The machine.
        head: Its newest block.
        snapshots: How many snapshots it has.
        changed: Whether the call changed anything.
    """

    record: MachineRecord
    head: int
    snapshots: int
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """The only one who deletes.

    Attributes:
        log: The table alone, without the archive.
        machines: The register, with what is to be kept.
        snapshots: The snapshots.
        archive: The archive.
        objects: The bucket that all of it stands in.
        clock: Time.
    """

    log: BlockLog
    machines: Machines
    snapshots: SnapshotStore
    archive: Archive
    objects: ObjectStore
    clock: Clock

    # -- pruning -----------------------------------------------------------------------------

    def plan(self, machine: str, *, thorough: bool = True) -> Pruning:
        """What may go now, changing nothing.

        Args:
            machine: The machine's id.
            thorough: Look at every large body, not only at those where something may have changed.

        Raises:
            NotFound: There is no such machine.
            Corrupted: A manifest is damaged: then nothing of the machine goes.
        """
        record, now = self._record(machine), self.clock.now()
        newest = self.log.head(machine)
        head = newest.number if newest else 0
        candidates = old_runs(self.objects, machine, now)  # before the manifests, see `collect`
        named = look(self.snapshots, self.objects, machine)
        segments = self.archive.segments(machine)
        # One above the head is not of this history, and no reason to let go of those that are.
        times = [(number, time) for number, time in named.times.items() if number <= head]
        snapshot = max((number for number, _ in times), default=0)
        blocks = prunable(self.log, record, head, snapshot, segments, now)
        return Pruning(
            machine=machine,
            blocks=blocks,
            snapshots=tuple(retired(times, record.retention, now)),
            copies=tuple(self.snapshots.leftovers(machine)),
            runs=tuple(each for each in candidates if each.key not in named.runs),
            segments=tuple(
                each for each in superseded(segments, record.archived) if is_old(each.modified, now)
            ),
            bodies=tuple(dead_bodies(self.log, self.objects, record, head, now, all_=thorough)),
            proof=snapshot if blocks.count and record.verified != snapshot else None,
            named=named,
        )

    def carry_out(self, plan: Pruning, *, deadline: float) -> Pruning:
        """Let go of what a plan names, as far as there is time; what went.

        Args:
            plan: What may go.
            deadline: When to stop, by the clock's ``monotonic``.

        Raises:
            Corrupted: A manifest, the newest snapshot or a segment is damaged: what would need it
                stays.
            Unavailable: A service failed; what went is gone, the rest is left for the next time.
        """
        done = Pruning(
            machine=plan.machine, blocks=replace(plan.blocks, last=plan.blocks.first - 1)
        )
        for step in (self._retire, self._collect, self._drop_segments, self._let_go):
            if self.clock.monotonic() >= deadline:
                return replace(done, notes=(OUT_OF_TIME,))
            done = step(plan, done, deadline)
        return done

    def prune(self, machine: str, *, deadline: float, thorough: bool = True) -> Pruning:
        """Plan, and carry it out; what went.

        Raises:
            BlockfoldError: As `plan` and `carry_out`.
        """
        return self.carry_out(self.plan(machine, thorough=thorough), deadline=deadline)

    def all(self, *, deadline: float) -> dict[str, Pruning]:
        """Prune every machine, but for those where nothing can have changed.

        Returns:
            What went, by machine; machines of which nothing went are left out.

        Raises:
            BlockfoldError: The trouble with one machine, after all others had their turn.
        """
        done: dict[str, Pruning] = {}
        trouble: BlockfoldError | None = None
        day = self.clock.now() // (DAY * 1000)
        # Another order each day, so that none is always behind the deadline.
        records = sorted(
            self.machines.list(),
            key=lambda record: sha256(f"{day}/{record.machine}".encode()).digest(),
        )
        for record in records:
            if self.clock.monotonic() >= deadline:
                break
            try:
                if self._at_rest(record):
                    continue
                pruned = self.prune(record.machine, deadline=deadline, thorough=False)
            except BlockfoldError as error:
                trouble = trouble or error
            else:
                if not pruned.empty:
                    done[record.machine] = pruned
        if trouble is not None:
            raise trouble
        return done

    # -- what is kept ------------------------------------------------------------------------

    def status(self, machine: str) -> Kept:
        """What is kept, and how far the machine was pruned.

        Raises:
            NotFound: There is no such machine.
        """
        return self._kept(self._record(machine), changed=False)

    def set_retention(self, machine: str, retention: Retention) -> Kept:
        """Keep so much from now on. What went before does not come back.

        Raises:
            NotFound: There is no such machine.
            Misconfigured: It cannot be carried out.
        """
        record = self._record(machine)
        changed = checked(retention) != record.retention
        if changed:
            self.machines.set_retention(machine, retention)
            record = self._record(machine)
        KeptSettings(self.objects).keep(record)  # also if whoever changed it died before this
        return self._kept(record, changed=changed)

    # -- inside ------------------------------------------------------------------------------

    def _retire(self, plan: Pruning, done: Pruning, deadline: float) -> Pruning:
        """Remove snapshots; ``thinned`` says so before, lest `verify` miss them."""
        gone: list[int] = []
        if plan.snapshots:
            self.machines.raise_watermark(plan.machine, "thinned", plan.snapshots[-1])
        for number in plan.snapshots:
            if self.clock.monotonic() >= deadline:
                break
            if (manifest := self.snapshots.get(plan.machine, number)) is not None:
                self.snapshots.retire(manifest)
                gone.append(number)
        return replace(done, snapshots=tuple(gone))

    def _collect(self, plan: Pruning, done: Pruning, _deadline: float) -> Pruning:
        """Delete garbage, after another look at what is named by now."""
        self.objects.delete(each.key for each in (*plan.copies, *plan.bodies))
        runs: tuple[Stored, ...] = ()
        if plan.runs:
            named = look(self.snapshots, self.objects, plan.machine, plan.named)
            runs = tuple(each for each in plan.runs if each.key not in named.runs)
            self.objects.delete(each.key for each in runs)
        return replace(done, copies=plan.copies, bodies=plan.bodies, runs=runs)

    def _drop_segments(self, plan: Pruning, done: Pruning, deadline: float) -> Pruning:
        """Delete segments, each after those that hold its blocks as well were read."""
        segments = self.archive.segments(plan.machine) if plan.segments else []
        read: set[Segment] = set()
        gone: list[Segment] = []
        doomed = {segment.key for segment in plan.segments}
        for segment in plan.segments:
            pieces = list(cover(segments, segment.first, segment.last, without=doomed))
            held = sum(piece.last - piece.first + 1 for piece in pieces)
            if held < segment.blocks:
                continue
            for piece in pieces:
                if piece.segment in read:
                    continue
                if self.clock.monotonic() >= deadline:
                    return replace(done, segments=tuple(gone))
                for _ in self.archive.read(piece.segment):
                    pass
                read.add(piece.segment)
            self.archive.delete([segment])
            gone.append(segment)
        return replace(done, segments=tuple(gone))

    def _let_go(self, plan: Pruning, done: Pruning, deadline: float) -> Pruning:
        """Mark blocks, after the newest snapshot was read whole."""
        if not plan.blocks.count:
            return done
        record = self._record(plan.machine)
        if plan.proof is not None and not read_whole(
            self.log,
            self.machines,
            self.snapshots,
            self.clock,
            record,
            plan.proof,
            deadline=deadline,
        ):
            return replace(
                done,
                notes=(f"no block went: snapshot {plan.proof} could not be read whole in time",),
            )
        last = mark(
            self.log, self.machines, self.clock, plan.machine, plan.blocks, deadline=deadline
        )
        notes = () if last == plan.blocks.last else (OUT_OF_TIME,)
        return replace(done, blocks=replace(plan.blocks, last=last), notes=notes)

    def _at_rest(self, record: MachineRecord) -> bool:
        """Whether the last block is so long ago that earlier sweeps have done all there is."""
        newest, retention = self.log.head(record.machine), record.retention
        if newest is None:
            return True
        days = max(retention.days or 0, *(tier.span // DAY for tier in retention.thin), 0)
        now = self.clock.now()
        if newest.header.time > now - (days + QUIET_DAYS) * DAY * 1000:
            return False
        stay = max(NEWEST_STAY, retention.blocks or 0)
        may = min(record.archived, record.flushed, newest.number - stay)
        return retention.keeps_blocks or record.pruned >= may

    def _kept(self, record: MachineRecord, *, changed: bool) -> Kept:
        newest: Block | None = self.log.head(record.machine)
        snapshots = len(self.snapshots.numbers(record.machine))
        return Kept(record, newest.number if newest else 0, snapshots, changed)

    def _record(self, machine: str) -> MachineRecord:
        record = self.machines.get(machine)
        if record is None:
            raise NotFound(
                f"there is no machine {machine!r}", hint="`blockfold machines` lists all"
            )
        return record
