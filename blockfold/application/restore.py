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
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.errors import BlockConflict, Misconfigured, NotFound, Refused, Unavailable
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
            self._check_fork(target.fork)
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
            self._check_fork(target.fork)
        dumper = Dumper(self.log, self.machines, self.snapshots, self.clock)
        manifest, _ = dumper.dump(target.machine, number)
        for _ in self.snapshots.entries(manifest):
            pass  # reads all of it: a damaged snapshot must be found before the log names it
        if target.fork is None:
            block = self._append_restore(manifest)
        else:
            self.machines.register(target.fork, self.schedule)
            block = self._append_fork(manifest, target.fork)
        written, deleted = self._catch_up(block, deadline)
        return Restored(block, manifest.key, number, written, deleted)

    # -- inside ------------------------------------------------------------------------------

    def _catch_up(self, block: Block, deadline: float) -> tuple[int, int]:
        """Bring the table up to a block that was appended; keys stored and deleted for it."""
        catch_up = CatchUp(self.log, self.table, self.machines, self.snapshots, self.clock)
        try:
            done = catch_up.run(block.machine, deadline=deadline)
        except Unavailable as error:
            raise Unavailable(
                f"machine {block.machine!r} is restored by its block {block.number}, but its "
                f"state table is still behind: {error.message}",
                hint="do not restore again: the next action goes on from there",
            ) from error
        return done.restores.get(block.number, (0, 0))

    def _append_restore(self, manifest: Manifest) -> Block:
        conflict: BlockConflict | None = None
        for _ in range(ATTEMPTS):
            newest = self.log.head(manifest.machine)
            assert newest is not None, "a machine with a snapshot has blocks"
            body = Body(marks=newest.head.marks, origin=_origin(manifest, "restore"))
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

    def _append_fork(self, manifest: Manifest, machine: str) -> Block:
        body = Body(origin=_origin(manifest, "fork"))
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
            return self._at_time(target.machine, target.time, head)
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

    def _at_time(self, machine: str, time: int, head: int) -> int:
        """The newest block at or before a time: block times never go back."""
        found, low, high = 0, 1, head
        while low <= high:
            middle = (low + high) // 2
            block = self.log.get(machine, middle)
            if block is None:
                raise NotFound(f"machine {machine!r} has no block {middle} any more")
            if block.header.time <= time:
                found, low = middle, middle + 1
            else:
                high = middle - 1
        if not found:
            raise NotFound(f"machine {machine!r} had no blocks at that time")
        return found

    def _check_fork(self, machine: str) -> None:
        if self._head(machine):
            raise self._exists(machine)

    def _head(self, machine: str) -> int:
        newest = self.log.head(machine)
        return newest.number if newest else 0

    def _exists(self, machine: str) -> Refused:
        return Refused(f"machine {machine!r} exists already", hint="fork under another id")


def _seal(head: Head, body: Body, manifest: Manifest, time: int) -> Block:
    return seal(head, body, total=manifest.total, keys=manifest.rows, time=time, code=CODE)


def _origin(manifest: Manifest, kind: Literal["restore", "fork"]) -> Origin:
    return Origin(
        kind=kind,
        machine=manifest.machine,
        number=manifest.number,
        hash=manifest.hash,
        digest=manifest.digest,
        manifest=manifest.key,
    )
