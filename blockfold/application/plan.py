"""What a restore, fork or import will do: a value, made before anything is changed.

Making it dies without a trace: it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from blockfold.application.difference import compare
from blockfold.application.history import History
from blockfold.application.lost import check_not_lost
from blockfold.application.plan_costs import Estimate, Tally
from blockfold.application.points import newest_at
from blockfold.application.travel import Traveller
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted, Misconfigured, NotFound, Refused
from blockfold.domain.keys import manifest_key
from blockfold.domain.manifest import OriginKind
from blockfold.domain.segments import cover
from blockfold.ports import Archive, BlockLog, Clock, Machines, Row, SnapshotStore

LOOK = 5_000
"""Keys that are counted between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which state to bring back: exactly one of block, snapshot, time and imported.

    Attributes:
        machine: Whose state; of an import, the machine that starts from it.
        block: A block's number.
        snapshot: A snapshot's number; the snapshot must exist.
        time: Milliseconds since 1970 UTC: the newest block at or before it.
        fork: Id of a new machine to start from it; None brings it back in place.
        imported: Object key of a state that was uploaded, for a new machine.
    """

    machine: str
    block: int | None = None
    snapshot: int | None = None
    time: int | None = None
    fork: str | None = None
    imported: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a restore will do.

    Attributes:
        kind: In place, as another machine, or from outside.
        machine: The machine that gets the state.
        source: The machine that it comes from.
        number: The block that it comes from; 0 of an import.
        hash: That block's hash.
        digest: The state digest there.
        rows: Entries of that state.
        present: Entries of the machine now.
        next: The number that the new block would have now.
        snapshot: Whether a snapshot of that block exists already.
        base: The snapshot that the state is read from; None if there is none.
        folded: Blocks that are folded on top of it.
        imported: Object key of a state that was uploaded.
        begun: The first block of this very fork or import, if it was begun and not finished.
        estimate: What it takes; None if it was not counted.
    """

    kind: OriginKind
    machine: str
    source: str
    number: int
    hash: str
    digest: str
    rows: int
    present: int
    next: int
    snapshot: bool
    base: int | None
    folded: int
    imported: str | None = None
    begun: Block | None = None
    estimate: Estimate | None = None

    @property
    def most(self) -> Estimate:
        """What it takes at most, as far as that is known without counting."""
        return self.estimate or Estimate.at_most(self.rows, self.present)


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans.

    Attributes:
        log: The blocks.
        machines: The register.
        snapshots: The snapshots.
        clock: Time.
        archive: Where blocks of a machine that seems to be new would stand, if it is not.
    """

    log: BlockLog
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock
    archive: Archive | None = None

    def outline(self, target: Target) -> Plan:
        """A plan without counts: a few reads, whatever the state's size.

        Raises:
            NotFound: There is no such machine, block or snapshot.
            Refused: The machine to start exists already.
            Corrupted: Log or snapshots are damaged.
        """
        given = (target.block, target.snapshot, target.time, target.imported)
        if len([each for each in given if each is not None]) != 1:
            raise Misconfigured("a restore names exactly one of block, snapshot and time")
        if target.imported is not None:
            return self._imported(target.machine, target.imported)
        if target.fork is not None and self.log.head(target.machine) is None:
            return self._from_bucket(target, target.fork)
        number = self._number(target)
        source = self.log.get(target.machine, number)
        if source is None:
            raise NotFound(f"machine {target.machine!r} has no block {number} any more")
        base = History(self.log, self.snapshots).manifest(target.machine, number)
        newest = self.log.head(target.fork or target.machine)
        plan = Plan(
            kind="restore" if target.fork is None else "fork",
            machine=target.fork or target.machine,
            source=target.machine,
            number=number,
            hash=source.hash,
            digest=source.header.digest,
            rows=source.header.keys,
            present=newest.header.keys if newest else 0,
            next=newest.number + 1 if newest else 1,
            snapshot=base is not None and base.number == number,
            base=base.number if base else None,
            folded=number - (base.number if base else 0),
        )
        return plan if target.fork is None else self._new(plan)

    def counted(self, plan: Plan, *, deadline: float) -> Plan:
        """The plan with what it takes, by comparing both states as streams, key by key.

        In memory are, of each state, the changes since its snapshot, no more.

        Args:
            plan: An outline.
            deadline: When to stop, by the clock's ``monotonic``. The estimate is an upper bound
                then, as far as it was not counted.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        traveller = Traveller(self.log, self.snapshots)
        now: Iterator[tuple[str, Canonical]] = iter(())
        if plan.imported is not None:
            wanted = self.snapshots.entries(self.snapshots.open(plan.imported))
        else:
            _, wanted = traveller.entries(plan.source, plan.number)
        if plan.kind == "restore":
            _, now = traveller.entries(plan.machine, plan.next - 1)
        tally = Tally(plan.machine, rows=plan.rows, present=plan.present)
        rows = (Row(key, value, 0) for key, value in tally.watch(now))
        for seen, (key, write) in enumerate(compare(tally.want(wanted), rows, plan.next), start=1):
            tally.add(key, write)
            if seen % LOOK == 0 and self.clock.monotonic() >= deadline:
                return replace(plan, estimate=tally.estimate(exact=False))
        return replace(plan, estimate=tally.estimate(exact=True))

    # -- inside ------------------------------------------------------------------------------

    def _number(self, target: Target) -> int:
        newest = self.log.head(target.machine)
        if newest is None:
            raise _without_blocks(target.machine)
        head = newest.number
        if target.time is not None:
            return newest_at(self.log, target.machine, target.time, head)
        number = target.block if target.block is not None else target.snapshot
        assert number is not None, "one of them was given"
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

    def _from_bucket(self, target: Target, machine: str) -> Plan:
        """A snapshot of a machine that only the bucket knows: recorded elsewhere, or lost here.

        Raises:
            NotFound: There is no such snapshot.
            Corrupted: It is of another block than the archived one.
        """
        number = target.snapshot if target.snapshot is not None else target.block
        numbers = self.snapshots.numbers(target.machine)
        if not numbers:
            raise _without_blocks(target.machine)
        if number not in numbers:
            raise NotFound(
                f"machine {target.machine!r} has no blocks here, and no snapshot "
                f"{'at that time' if number is None else f'of block {number}'}",
                hint=f"name one that it has, such as {numbers[-1]}, or `blockfold rebuild "
                f"{target.machine}` first",
            )
        plan = self._imported(machine, manifest_key(target.machine, number))
        block = archived(self.archive, target.machine, number)
        if block is not None and block.hash != plan.hash:
            raise Corrupted(
                f"snapshot {number} of machine {target.machine!r} is of another block than the "
                "archived one"
            )
        return plan

    def _imported(self, machine: str, key: str) -> Plan:
        """A state that was uploaded: from outside as a block 0, or a block of another stack."""
        manifest = self.snapshots.open(key)
        foreign = manifest.number > 0
        if not foreign and manifest.machine != machine:
            raise Misconfigured(
                f"what was uploaded is not a state for machine {machine!r}, but for "
                f"{manifest.machine!r}"
            )
        plan = Plan(
            kind="fork" if foreign else "import",
            machine=machine,
            source=manifest.machine if foreign else "",
            number=manifest.number,
            hash=manifest.hash,
            digest=manifest.digest,
            rows=manifest.rows,
            present=0,
            next=1,
            snapshot=True,
            base=manifest.number,
            folded=0,
            imported=key,
        )
        return self._new(plan)

    def _new(self, plan: Plan) -> Plan:
        """The plan of a machine that is to be started, which must not be there.

        Raises:
            Refused: Another machine of that id exists.
        """
        newest = self.log.head(plan.machine)
        if newest is None:
            check_not_lost(self.archive, self.log, plan.machine)
            return plan
        record = self.machines.get(plan.machine)
        origin = newest.body.origin
        if (
            newest.number == 1
            and origin is not None
            and (origin.machine, origin.number, origin.hash)
            == (plan.source, plan.number, plan.hash)
            and (record is None or record.flushed < 1)
        ):
            return replace(plan, begun=newest, next=1)
        raise exists(plan)


def exists(plan: Plan) -> Refused:
    """The refusal to start a machine that exists."""
    verb = "fork" if plan.kind == "fork" else "import"
    return Refused(f"machine {plan.machine!r} exists already", hint=f"{verb} under another id")


def _without_blocks(machine: str) -> NotFound:
    return NotFound(f"machine {machine!r} has no blocks", hint="`blockfold machines` lists all")


def archived(archive: Archive | None, machine: str, number: int) -> Block | None:
    """A block as the archive has it, or None."""
    segments = archive.segments(machine) if archive is not None else []
    for piece in cover(segments, number, number):
        assert archive is not None, "it has segments"
        return next((each for each in archive.read(piece.segment) if each.number == number), None)
    return None
