"""The pruner: lets go of what retention does not keep, and deletes what nothing needs.

A plan is made first and is a value: what would go, and why nothing more. Carrying it out changes
exactly that. Snapshots go by a copy of their manifest that stays for a day (their runs become
garbage after that), blocks by DynamoDB's time to live (`blockfold.application.prune_blocks`), and
garbage at once (`blockfold.application.collect`).

Nothing is begun without time for it. A plan takes half of the time at most, and each step of
carrying it out an equal share of what is left, so that none of them keeps the others from theirs.
If there is no time to read all manifests, runs stay: what does not need all of them goes on.

What happens if the process dies: before a snapshot is removed, ``thinned`` says so, and it is
removed next time; all else is found again as well. Two pruners at once do the same things twice.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import inf
from threading import BoundedSemaphore

from blockfold.application import prune_segments
from blockfold.application.collect import READERS, dead_bodies, is_old, look, old_runs
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.prune_blocks import NEWEST_STAY, mark, prunable, read_whole
from blockfold.application.prune_plan import Pruning
from blockfold.application.prune_snapshots import retire, superfluous
from blockfold.application.side_by_side import FEW, HEAVY, sweep
from blockfold.application.time_left import Until, share
from blockfold.domain.block import Block
from blockfold.domain.errors import NotFound
from blockfold.domain.retention import DAY, Retention, checked
from blockfold.domain.segments import superseded
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    MachineRecord,
    Machines,
    ObjectStore,
    SnapshotStore,
)

QUIET_DAYS = 7
"""After so many days without a block, nothing but time can make something superfluous."""

OUT_OF_TIME = "time ran out: the rest is left for the next time"

NOT_ALL_READ = "there was no time to read all manifests: no run is deleted this time"

READERS_IN_A_SWEEP = 4
"""Manifests of a machine that are read at once while other machines are looked at beside it: all
together as many as there are open connections (`blockfold.adapters.clients`)."""


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
        readers: How many manifests of a machine are read, or snapshots removed, at once.
        heavy: Held by whoever unpacks segments or runs, or marks blocks, which is done in threads
            as well.
    """

    log: BlockLog
    machines: Machines
    snapshots: SnapshotStore
    archive: Archive
    objects: ObjectStore
    clock: Clock
    readers: int = READERS
    heavy: AbstractContextManager[object] = field(default_factory=nullcontext)

    # -- pruning -----------------------------------------------------------------------------

    def plan(self, machine: str, *, thorough: bool = True, deadline: float = inf) -> Pruning:
        """What may go now, changing nothing.

        Args:
            machine: The machine's id.
            thorough: Look at every large body, not only at those where something may have changed.
            deadline: When to be done with looking, by the clock's ``monotonic``. What was not
                looked at until then stays.

        Raises:
            NotFound: There is no such machine.
            Corrupted: A manifest is damaged: then nothing of the machine goes.
        """
        record, now = self._record(machine), self.clock.now()
        newest = self.log.head(machine)
        head = newest.number if newest else 0
        candidates = old_runs(self.objects, machine, now)  # before the manifests, see `collect`
        in_time = Until(self.clock, share(self.clock, deadline, 2))
        bodies = tuple(
            dead_bodies(self.log, self.objects, record, head, now, all_=thorough, in_time=in_time)
        )
        named = look(
            self.snapshots,
            self.objects,
            machine,
            in_time=Until(self.clock, deadline),
            readers=self.readers,
        )
        segments = self.archive.segments(machine)
        # One above the head is not of this history.
        snapshot = max((number for number in named.times if number <= head), default=0)
        blocks = prunable(self.log, record, head, snapshot, segments, now)
        plan = Pruning(
            machine=machine,
            blocks=blocks,
            snapshots=tuple(superfluous(named, record.retention, head, now)),
            copies=tuple(self.snapshots.leftovers(machine)),
            runs=tuple(each for each in candidates if named.whole and each.key not in named.runs),
            segments=tuple(
                each for each in superseded(segments, record.archived) if is_old(each.modified, now)
            ),
            bodies=bodies,
            proof=snapshot if blocks.count and record.verified != snapshot else None,
            notes=() if named.whole else (NOT_ALL_READ,),
            named=named,
        )
        return _noted(plan, OUT_OF_TIME) if in_time.ran_out else plan

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
            machine=plan.machine,
            blocks=replace(plan.blocks, last=plan.blocks.first - 1),
            notes=plan.notes,
        )
        steps = (self._retire, self._collect, self._drop_segments, self._let_go)
        for position, step in enumerate(steps):
            if self.clock.monotonic() >= deadline:
                return _noted(done, OUT_OF_TIME)
            done = step(plan, done, share(self.clock, deadline, len(steps) - position))
        return done

    def prune(self, machine: str, *, deadline: float, thorough: bool = True) -> Pruning:
        """Plan, and carry it out; what went.

        Raises:
            BlockfoldError: As `plan` and `carry_out`.
        """
        plan = self.plan(machine, thorough=thorough, deadline=share(self.clock, deadline, 2))
        return self.carry_out(plan, deadline=deadline)

    def all(self, *, deadline: float) -> dict[str, Pruning]:
        """Prune every machine, but for those where nothing can have changed; several at once.

        Returns:
            What went, by machine; machines of which nothing went and nothing is to be said are
            left out.

        Raises:
            BlockfoldError: The trouble with one machine, after all others had their turn.
        """
        day = self.clock.now() // (DAY * 1000)
        # Another order each day, so that none is always behind the deadline.
        records = sorted(
            self.machines.list(),
            key=lambda record: sha256(f"{day}/{record.machine}".encode()).digest(),
        )
        beside = replace(self, readers=READERS_IN_A_SWEEP, heavy=BoundedSemaphore(HEAVY))
        each = self if len(records) <= FEW else beside

        def turn(record: MachineRecord) -> Pruning | None:
            if self._at_rest(record):
                return None
            return each.prune(record.machine, deadline=deadline, thorough=False)

        done = sweep(records, turn, self.clock, deadline=deadline).or_first_trouble()
        return {
            machine: pruned
            for machine, pruned in done.items()
            if pruned is not None and not (pruned.empty and not pruned.notes)
        }

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
        """Remove snapshots."""
        in_time = Until(self.clock, deadline)
        gone = retire(
            self.machines,
            self.snapshots,
            plan.machine,
            plan.snapshots,
            in_time,
            lanes=self.readers,
        )
        done = replace(done, snapshots=tuple(gone))
        return _noted(done, OUT_OF_TIME) if in_time.ran_out else done

    def _collect(self, plan: Pruning, done: Pruning, deadline: float) -> Pruning:
        """Delete garbage, after another look at what is named by now."""
        self.objects.delete(each.key for each in (*plan.copies, *plan.bodies))
        done = replace(done, copies=plan.copies, bodies=plan.bodies)
        if not plan.runs:
            return done
        named = look(
            self.snapshots,
            self.objects,
            plan.machine,
            plan.named,
            in_time=Until(self.clock, deadline),
            readers=self.readers,
        )
        if not named.whole:
            return _noted(done, NOT_ALL_READ)
        runs = tuple(each for each in plan.runs if each.key not in named.runs)
        self.objects.delete(each.key for each in runs)
        return replace(done, runs=runs)

    def _drop_segments(self, plan: Pruning, done: Pruning, deadline: float) -> Pruning:
        """Delete segments, each after those that hold its blocks as well were read."""
        in_time = Until(self.clock, deadline)
        with self.heavy:
            gone = prune_segments.drop(self.archive, plan.machine, plan.segments, in_time)
        done = replace(done, segments=tuple(gone))
        return _noted(done, OUT_OF_TIME) if in_time.ran_out else done

    def _let_go(self, plan: Pruning, done: Pruning, deadline: float) -> Pruning:
        """Mark blocks, after the newest snapshot was read whole."""
        if not plan.blocks.count:
            return done
        if plan.proof is not None and not self._prove(plan.machine, plan.proof, deadline):
            return _noted(
                done, f"no block went: snapshot {plan.proof} could not be read whole in time"
            )
        with self.heavy:
            last = mark(
                self.log, self.machines, self.clock, plan.machine, plan.blocks, deadline=deadline
            )
        done = replace(done, blocks=replace(plan.blocks, last=last))
        return done if last == plan.blocks.last else _noted(done, OUT_OF_TIME)

    def _prove(self, machine: str, number: int, deadline: float) -> bool:
        """Read the newest snapshot whole; whether there was time for it."""
        record = self._record(machine)
        with self.heavy:
            return read_whole(
                self.log,
                self.machines,
                self.snapshots,
                self.clock,
                record,
                number,
                deadline=deadline,
            )

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


def _noted(pruning: Pruning, note: str) -> Pruning:
    """With a note, which is said once."""
    return replace(pruning, notes=tuple(dict.fromkeys((*pruning.notes, note))))
