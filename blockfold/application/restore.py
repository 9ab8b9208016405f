"""Bring an old block back: in place, or as another machine. Planned first, then carried out.

What happens if the process dies: before the restore block is appended, nothing has changed but
perhaps a snapshot more; after it, whoever touches the machine next, executor or restore, brings
the state table up to it (`blockfold.application.catch_up`) before anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blockfold.application.catch_up import CatchUp, difference
from blockfold.application.dump import Dumper
from blockfold.application.history import History
from blockfold.application.points import newest_at
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.errors import (
    BlockConflict,
    BlockfoldError,
    Misconfigured,
    NotFound,
    Refused,
)
from blockfold.domain.execute import seal
from blockfold.domain.manifest import Manifest, Origin
from blockfold.domain.schedule import Schedule
from blockfold.ports import BlockLog, Clock, Machines, Row, SnapshotStore, StateTable

CODE = "restore/1"
"""What a restore or fork block says about the code that made it."""

ATTEMPTS = 20
"""How often to try again to append while actions are being executed."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which state to bring back: exactly one of block, snapshot and time.

    Attributes:
        machine: Whose state.
        block: A block's number.
        snapshot: A snapshot's number; the snapshot must exist.
        time: Milliseconds since 1970 UTC: the newest block at or before it.
        fork: Id of a new machine to start from it; None brings it back in place.
    """

    machine: str
    block: int | None = None
    snapshot: int | None = None
    time: int | None = None
    fork: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore will do.

    Attributes:
        machine: The machine that gets the state.
        source: The machine that it comes from.
        number: The block that it comes from.
        hash: That block's hash.
        digest: The state digest there.
        rows: Entries of that state.
        writes: Keys to store.
        deletes: Keys to delete.
        next: The number that the new block would have now.
        snapshot: Whether a snapshot of that block exists already.
    """

    machine: str
    source: str
    number: int
    hash: str
    digest: str
    rows: int
    writes: int
    deletes: int
    next: int
    snapshot: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        block: The block that was appended.
        manifest: Object key of the snapshot that it names.
        restored: The block that was brought back.
        written: Keys stored for it; fewer than planned if someone else helped.
        deleted: Keys deleted for it, likewise.
    """

    block: Block
    manifest: str
    restored: int
    written: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """Brings old states back.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
        clock: Time.
        schedule: The dumper schedule of a machine that is started by a fork.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock
    schedule: Schedule

    def plan(self, target: Target) -> Plan:
        """What `carry_out` would do, changing nothing.

        Raises:
            NotFound: There is no such machine, block or snapshot.
            Refused: The machine to fork into exists already.
            Corrupted: Log or snapshots are damaged.
        """
        number = self._number(target)
        replica = History(self.log, self.snapshots).at(target.machine, number)
        if target.fork is None:
            head = self._head(target.machine)
            now = History(self.log, self.snapshots).at(target.machine, head)
            rows = iter([Row(key, value, 0) for key, value in now.sorted_entries()])
        else:
            self._check_fork(target, number)
            head, rows = 0, iter(())
        writes = list(difference(replica.sorted_entries(), rows, head + 1))
        return Plan(
            machine=target.fork or target.machine,
            source=target.machine,
            number=number,
            hash=replica.head.hash,
            digest=replica.head.digest,
            rows=len(replica.entries),
            writes=sum(1 for write in writes if write.value is not None),
            deletes=sum(1 for write in writes if write.value is None),
            next=head + 1,
            snapshot=self.snapshots.get(target.machine, number) is not None,
        )

    def carry_out(self, target: Target, *, deadline: float) -> Restored:
        """Pin a snapshot, append the block that says ``state := that``, and bring the table up.

        Args:
            target: Which state, and where to.
            deadline: When to stop writing the table, by the clock's ``monotonic``.

        Raises:
            NotFound: There is no such machine, block or snapshot; nothing was changed.
            Refused: Another restore was first, or the machine to fork into exists already;
                nothing was changed.
            Unavailable: A service failed. If the restore block was appended, the next call of
                anyone brings the table up to it.
            Corrupted: Log or snapshots are damaged; nothing was changed.
        """
        number = self._number(target)
        if target.fork is not None:
            begun = self._check_fork(target, number)
            if begun is not None:
                return self._finished(begun, deadline)
        dumper = Dumper(self.log, self.machines, self.snapshots, self.clock)
        manifest, _ = dumper.dump(target.machine, number)
        for _ in self.snapshots.entries(manifest):
            pass  # reads all of it: a damaged snapshot must be found before the log names it
        pinned = self.snapshots.pin(manifest)
        if target.fork is None:
            block = self._append_restore(manifest, pinned)
        else:
            self.machines.register(target.fork, self.schedule)
            block = self._append_fork(manifest, pinned, target.fork)
        return self._finished(block, deadline)

    # -- inside ------------------------------------------------------------------------------

    def _finished(self, block: Block, deadline: float) -> Restored:
        """Bring the table up to a restore or fork block that was appended."""
        origin = block.body.origin
        assert origin is not None, "only such blocks are appended here"
        catch_up = CatchUp(self.log, self.table, self.machines, self.snapshots, self.clock)
        try:
            done = catch_up.run(block.machine, deadline=deadline)
        except BlockfoldError as error:
            again = "fork it again" if origin.kind == "fork" else "do not restore again"
            raise type(error)(
                f"machine {block.machine!r} is restored by its block {block.number}, but its "
                f"state table is still behind: {error.message}",
                hint=f"{again}: the next action goes on from there, too",
            ) from error
        written, deleted = done.restores.get(block.number, (0, 0))
        return Restored(block, origin.manifest, origin.number, written, deleted)

    def _append_restore(self, manifest: Manifest, pinned: str) -> Block:
        conflict: BlockConflict | None = None
        for _ in range(ATTEMPTS):
            newest = self.log.head(manifest.machine)
            assert newest is not None, "a machine with a snapshot has blocks"
            body = Body(marks=newest.head.marks, origin=_origin(manifest, pinned, "restore"))
            time = max(newest.head.time, self.clock.now())
            block = _seal(newest.head, body, manifest, time)
            try:
                self.log.append(block)
            except BlockConflict as error:
                if error.winner.body.origin is not None:
                    raise Refused(
                        f"machine {manifest.machine!r} is being restored by someone else: "
                        f"block {error.winner.number} is another restore",
                        hint="look at what it brought back, then decide anew",
                    ) from error
                conflict = error
            else:
                return block
        raise Refused(
            f"machine {manifest.machine!r} is too busy: {ATTEMPTS} times an action was first",
            hint="try again, or pause its producers",
        ) from conflict

    def _append_fork(self, manifest: Manifest, pinned: str, machine: str) -> Block:
        body = Body(origin=_origin(manifest, pinned, "fork"))
        time = max(manifest.time, self.clock.now())
        block = _seal(Head(machine=machine), body, manifest, time)
        try:
            self.log.append(block)
        except BlockConflict as error:
            raise self._exists(machine) from error
        return block

    def _number(self, target: Target) -> int:
        given = [each for each in (target.block, target.snapshot, target.time) if each is not None]
        if len(given) != 1:
            raise Misconfigured("a restore names exactly one of block, snapshot and time")
        head = self._head(target.machine)
        if not head:
            raise NotFound(
                f"machine {target.machine!r} has no blocks", hint="`blockfold machines` lists all"
            )
        if target.time is not None:
            return newest_at(self.log, target.machine, target.time, head)
        number = given[0]
        if not 1 <= number <= head:
            raise NotFound(
                f"machine {target.machine!r} has no block {number}",
                hint=f"its blocks are 1 to {head}",
            )
        if target.snapshot is not None and self.snapshots.get(target.machine, number) is None:
            raise NotFound(
                f"machine {target.machine!r} has no snapshot of block {number}",
                hint=f"restore block {number} instead: that works without a snapshot",
            )
        return number

    def _check_fork(self, target: Target, number: int) -> Block | None:
        """The fork's first block if this very fork was begun and not finished, else None.

        Raises:
            Refused: Another machine of that id exists.
        """
        assert target.fork is not None, "asked only of forks"
        newest = self.log.head(target.fork)
        if newest is None:
            return None
        record = self.machines.get(target.fork)
        origin = newest.body.origin
        if (
            newest.number == 1
            and origin is not None
            and (origin.machine, origin.number) == (target.machine, number)
            and (record is None or record.flushed < 1)
        ):
            return newest
        raise self._exists(target.fork)

    def _head(self, machine: str) -> int:
        newest = self.log.head(machine)
        return newest.number if newest else 0

    def _exists(self, machine: str) -> Refused:
        return Refused(f"machine {machine!r} exists already", hint="fork under another id")


def _seal(head: Head, body: Body, manifest: Manifest, time: int) -> Block:
    return seal(head, body, total=manifest.total, keys=manifest.rows, time=time, code=CODE)


def _origin(manifest: Manifest, pinned: str, kind: Literal["restore", "fork"]) -> Origin:
    return Origin(
        kind=kind,
        machine=manifest.machine,
        number=manifest.number,
        hash=manifest.hash,
        digest=manifest.digest,
        manifest=pinned,
    )
