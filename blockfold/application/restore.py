"""Bring an old block back: in place, or as another machine. Planned first, then carried out.

What happens if the process dies: before the restore block is appended, nothing has changed but
perhaps a snapshot more; after it, whoever touches the machine next, executor or restore, brings
the state table up to it (`blockfold.application.catch_up`) before anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockfold.application.catch_up import Behind, CatchUp, Counts, Filled
from blockfold.application.dump import Dumper
from blockfold.application.epoch import in_epoch
from blockfold.application.history import origin_manifest
from blockfold.application.lost import check_reaches
from blockfold.application.plan import Plan, Planner, Target, exists
from blockfold.application.progress import Progress, progress, spans_of
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.errors import (
    BlockConflict,
    BlockfoldError,
    Corrupted,
    NotFound,
    Refused,
)
from blockfold.domain.execute import seal
from blockfold.domain.manifest import Manifest, Origin
from blockfold.domain.schedule import Schedule
from blockfold.domain.spans import Span
from blockfold.ports import Archive, BlockLog, Clock, Machines, SnapshotStore, StateTable

__all__ = ["ATTEMPTS", "Plan", "Restored", "Restorer", "Target"]

CODE = "restore/1"
"""What a restore, fork or import block says about the code that made it."""

ATTEMPTS = 20
"""How often to try again to append while actions are being executed."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        block: The block that was appended.
        manifest: Object key of the snapshot that it names.
        restored: The block that was brought back.
        written: Keys stored for it by this call; fewer than planned if someone else helped.
        deleted: Keys deleted for it, likewise.
        done: Whether the state table holds it; else time ran out, and `Restorer.resume` goes on.
        share: How much of it the state table holds, from 0 to 1.
    """

    block: Block
    manifest: str
    restored: int
    written: int
    deleted: int
    done: bool = True
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """Brings old states back.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
        clock: Time.
        schedule: The dumper schedule of a machine that is started by a fork or import.
        archive: Where blocks of a machine that seems to be new would stand, if it is not.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock
    schedule: Schedule
    archive: Archive | None = None

    def plan(self, target: Target, *, deadline: float = float("inf")) -> Plan:
        """What `carry_out` would do, changing nothing.

        Args:
            target: Which state, and where to.
            deadline: When to stop counting; what it takes is an upper bound then.

        Raises:
            NotFound: There is no such machine, block or snapshot.
            Refused: The machine to start exists already.
            Corrupted: Log or snapshots are damaged.
        """
        planner = self._planner
        return planner.counted(planner.outline(target), deadline=deadline)

    def outline(self, target: Target) -> Plan:
        """A plan without counts: see `Planner.outline`."""
        return self._planner.outline(target)

    def carry_out(
        self, what: Plan | Target, *, deadline: float, begin_only: bool = False
    ) -> Restored:
        """Pin a snapshot, append the block that says ``state := that``, and bring the table up.

        A plan holds if the block that it brings back is still that one, and no other restore
        came since. Actions that were committed since then do not matter: the restore comes after
        them, and only its counts differ. A target is planned first, without counting.

        Args:
            what: Which state, and where to.
            deadline: When to stop writing the table, by the clock's ``monotonic``.
            begin_only: Append the block, and leave the table to `resume` or `fill`.

        Raises:
            NotFound: There is no such machine, block or snapshot; nothing was changed.
            Refused: Another restore was first, or the machine to start exists already;
                nothing was changed.
            Unavailable: A service failed. If the restore block was appended, the next call of
                anyone brings the table up to it.
            Corrupted: Log or snapshots are damaged, or the machine is being rebuilt or deleted;
                nothing was changed.
        """
        if isinstance(what, Target):
            plan = self._planner.outline(what)
        else:
            plan = what
            self._check(plan)
        block = plan.begun or self._begin(plan, deadline)
        if begin_only:
            return self._restored(block, Counts(), done=False)
        return self._finished(block, deadline)

    def resume(self, machine: str, *, deadline: float) -> Restored:
        """Go on with the newest restore, fork or import of a machine.

        Raises:
            NotFound: There is none whose state the table lacks.
            Unavailable: A service failed; the next call goes on.
            Corrupted: Log or snapshots are damaged.
        """
        block = self._unfinished(machine)
        if block is None:
            raise NotFound(
                f"no restore of machine {machine!r} is under way",
                hint="its state table holds all that its restores brought back",
            )
        return self._finished(block, deadline)

    def fill(self, machine: str, number: int, span: Span, *, deadline: float) -> Filled:
        """Go on with a restore for some of the keys: see `CatchUp.fill`."""
        return self._catch_up.fill(machine, number, span, deadline=deadline)

    def settle(self, machine: str, *, deadline: float) -> bool:
        """Flush what came before the newest restore, so that `fill` can begin; whether it can.

        Raises:
            Unavailable: A service failed; the next call goes on.
            Corrupted: Log or snapshots are damaged.
        """
        block = self._unfinished(machine)
        if block is None:
            return True
        try:
            self._catch_up.run(machine, deadline=deadline, before=block.number)
        except Behind:
            return False
        return True

    def split(self, machine: str, most: int) -> tuple[int, list[Span]]:
        """The newest restore that is not finished, cut by key for `fill`; 0 if there is none.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        block = self._unfinished(machine)
        if block is None:
            return 0, []
        return block.number, spans_of(origin_manifest(self.snapshots, block), most)

    def progress(self, machine: str) -> Progress | None:
        """How far the newest restore is that the state table does not hold; None if it holds all.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        block = self._unfinished(machine)
        return None if block is None else progress(self.machines, self.snapshots, block)

    # -- inside ------------------------------------------------------------------------------

    @property
    def _planner(self) -> Planner:
        return Planner(self.log, self.machines, self.snapshots, self.clock, self.archive)

    @property
    def _catch_up(self) -> CatchUp:
        return CatchUp(self.log, self.table, self.machines, self.snapshots, self.clock)

    def _check(self, plan: Plan) -> None:
        """Make sure that a plan made earlier still holds.

        Raises:
            Corrupted: The block that it brings back is another one now.
            Refused: Another restore came since, or the machine to start exists.
        """
        if plan.imported is None:
            source = self.log.get(plan.source, plan.number)
            if source is None or source.hash != plan.hash:
                raise Corrupted(
                    f"block {plan.number} of machine {plan.source!r} is another than was planned"
                )
        if plan.begun is not None:
            return
        for block in self.log.read(plan.machine, plan.next):
            if plan.kind != "restore":
                raise exists(plan)
            if block.body.origin is not None:
                raise _restored_since(block)

    def _begin(self, plan: Plan, deadline: float) -> Block:
        """Pin the state and append the block that names it."""
        manifest, pinned = self._pinned(self._manifest(plan, deadline))
        origin = Origin(
            kind=plan.kind,
            machine=plan.source,
            number=manifest.number,
            hash=manifest.hash,
            digest=manifest.digest,
            manifest=pinned,
        )
        if plan.kind == "restore":
            return self._append_restore(manifest, origin)
        self.machines.register(plan.machine, self.schedule)
        return self._append_first(plan, manifest, origin)

    def _pinned(self, manifest: Manifest) -> tuple[Manifest, str]:
        """The snapshot that a block may name, read whole: damage must be found before that.

        A copy that was pinned earlier may have other runs. It is never replaced here: runs of
        forks may stay alive through it alone.

        Raises:
            Corrupted: The snapshot or the pinned copy is damaged; no block names it.
        """
        self._read(manifest)
        key = self.snapshots.pin(manifest)
        try:
            pinned = self.snapshots.open(key)
            if pinned != manifest:
                self._read(pinned)
        except Corrupted as error:
            raise Corrupted(
                f"the pinned snapshot {key} is damaged: {error.message}",
                hint=f"`blockfold repair {manifest.machine}`, then restore again",
            ) from error
        return pinned, key

    def _read(self, manifest: Manifest) -> None:
        for _ in self.snapshots.entries(manifest):
            pass

    def _manifest(self, plan: Plan, deadline: float) -> Manifest:
        if plan.imported is not None:
            return self.snapshots.open(plan.imported)
        dumper = Dumper(self.log, self.machines, self.snapshots, self.clock)
        manifest, _ = dumper.dump(plan.source, plan.number, deadline=deadline)
        return manifest

    def _unfinished(self, machine: str) -> Block | None:
        """The newest restore, fork or import block that is not flushed."""
        record = self.machines.get(machine)
        found: Block | None = None
        for block in self.log.read(machine, (record.flushed if record else 0) + 1):
            if block.body.origin is not None:
                found = block
        return found

    def _finished(self, block: Block, deadline: float) -> Restored:
        """Bring the table up to a block that was appended."""
        origin = block.body.origin
        assert origin is not None, "only such blocks are appended here"
        try:
            done = self._catch_up.run(block.machine, deadline=deadline)
        except Behind as behind:
            return self._restored(block, behind.done.restores.get(block.number), done=False)
        except BlockfoldError as error:
            again = (
                "do not restore again" if origin.kind == "restore" else f"{origin.kind} it again"
            )
            raise type(error)(
                f"machine {block.machine!r} is restored by its block {block.number}, but its "
                f"state table is still behind: {error.message}",
                hint=f"{again}: the next action goes on from there, too",
            ) from error
        return self._restored(block, done.restores.get(block.number), done=True)

    def _restored(self, block: Block, counts: Counts | None, *, done: bool) -> Restored:
        origin = block.body.origin
        assert origin is not None, "only such blocks are appended here"
        counts = counts or Counts()
        share = 1.0 if done else progress(self.machines, self.snapshots, block).share
        return Restored(
            block, origin.manifest, origin.number, counts.written, counts.deleted, done, share
        )

    def _append_restore(self, manifest: Manifest, origin: Origin) -> Block:
        conflict: BlockConflict | None = None
        for _ in range(ATTEMPTS):
            record = self.machines.get(manifest.machine)
            newest = self.log.head(manifest.machine)
            assert newest is not None, "a machine with a snapshot has blocks"
            check_reaches(manifest.machine, newest.number, record.flushed if record else 0)
            head = in_epoch(newest.head, record)
            body = Body(marks=head.marks, origin=origin)
            time = max(head.time, self.clock.now())
            block = _seal(head, body, manifest, time)
            try:
                self.log.append(block)
            except BlockConflict as error:
                if error.winner.body.origin is not None:
                    raise _restored_since(error.winner) from error
                conflict = error
            else:
                return block
        raise Refused(
            f"machine {manifest.machine!r} is too busy: {ATTEMPTS} times an action was first",
            hint="try again, or pause its producers",
        ) from conflict

    def _append_first(self, plan: Plan, manifest: Manifest, origin: Origin) -> Block:
        time = max(manifest.time, self.clock.now())
        head = in_epoch(Head(machine=plan.machine), self.machines.get(plan.machine))
        block = _seal(head, Body(origin=origin), manifest, time)
        try:
            self.log.append(block)
        except BlockConflict as error:
            raise exists(plan) from error
        return block


def _restored_since(block: Block) -> Refused:
    return Refused(
        f"machine {block.machine!r} is being restored by someone else: "
        f"block {block.number} is another restore",
        hint="look at what it brought back, then decide anew",
    )


def _seal(head: Head, body: Body, manifest: Manifest, time: int) -> Block:
    return seal(head, body, total=manifest.total, keys=manifest.rows, time=time, code=CODE)
