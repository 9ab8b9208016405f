"""The dumper: makes the snapshots that are due by count, and answers its seven calls.

What happens if the process dies: after storing a run, the next dump stores the same run again or
finds it; after the manifest, the next one finds that; after ``dumped`` was raised, nothing is
missing. A run that no manifest names is garbage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from threading import Lock

from blockfold.application.history import Delta, History, check_snapshot
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.side_by_side import sweep
from blockfold.domain import schedule as schedules
from blockfold.domain.errors import Corrupted, NotFound, Unavailable
from blockfold.domain.manifest import Manifest
from blockfold.domain.schedule import Change, Schedule
from blockfold.ports import BlockLog, Clock, MachineRecord, Machines, SnapshotStore

CHANGE_ATTEMPTS = 10

MERGED_PER_SECOND = 30_000
"""Rows that a merge rewrites in a second, counted low: what does not fit is put off."""


def ignore(_error: Corrupted) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a call answers.

    Attributes:
        machine: The machine's id.
        running: Whether blocks are due.
        count: Every count-th block is due; None if none was given.
        changed: Whether the call changed or made anything.
        reason: Why it did not, if that was not what the caller asked for.
        last_snapshot: Number of the newest snapshot, or None.
        next_due: The next block that is due by count, or None if none is.
        policy: How fresh the newest snapshot is kept besides, by field (`Policy`); None if
            nothing was promised.
    """

    machine: str
    running: bool
    count: int | None
    changed: bool
    last_snapshot: int | None
    next_due: int | None
    reason: str | None = None
    policy: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Dumper:
    """Makes snapshots from the log, never from the live table.

    Attributes:
        log: The blocks.
        machines: The register, with the schedules.
        snapshots: The snapshots.
        clock: Time.
        kept: Where copies of changed settings are kept; None keeps none.
        passed: Told of each damaged manifest that work with a deadline passes over.
    """

    log: BlockLog
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock
    kept: KeptSettings | None = None
    passed: Callable[[Corrupted], None] = ignore

    # -- snapshots -------------------------------------------------------------------------

    def dump(
        self,
        machine: str,
        number: int,
        *,
        deadline: float | None = None,
        unattended: bool = False,
    ) -> tuple[Manifest, bool]:
        """A snapshot of exactly that block, and whether it was made now.

        Args:
            machine: The machine's id.
            number: The block.
            deadline: When to be done, by the clock's ``monotonic``: bounds what is merged.
            unattended: Nobody is there to repair: build on an older snapshot where one is damaged.

        Raises:
            NotFound: There is no such machine or block.
            Corrupted: Log or snapshots are damaged.
        """
        head = self._head(machine)
        if not 1 <= number <= head:
            raise NotFound(
                f"machine {machine!r} has no block {number}",
                hint=f"its blocks are 1 to {head}" if head else "it has no blocks yet",
            )
        if (there := self.snapshots.get(machine, number)) is not None:
            if (block := self.log.get(machine, number)) is not None:
                check_snapshot(there, block)
            return there, False
        passed = self.passed if unattended else None
        delta = self._history.since(machine, number, passed=passed)
        self._history.forward(delta, number)
        return self._save(delta, None if deadline is None else self._rows(deadline)), True

    def make_due(self, machine: str, upto: int, *, deadline: float) -> list[Manifest]:
        """Make every due snapshot up to a block that was not made yet, oldest first.

        One damaged manifest costs time, not snapshots: the next one builds on an older snapshot. A
        due one that is there and damaged is left to a repair.

        Args:
            machine: The machine's id.
            upto: The last block to look at; blocks above the head are left for later.
            deadline: When to stop, by the clock's ``monotonic``; one is always made.

        Raises:
            NotFound: There is no such machine.
            Corrupted: Log or snapshots are damaged.
        """
        return self._make_due(machine, upto, deadline)

    def sweep(self, *, deadline: float) -> dict[str, list[Manifest]]:
        """Make what is due and missing for every machine: a lost event is made up for here.

        Several machines are looked at at once. Snapshots are made of one after the other: what
        changed since the last one is in memory meanwhile.

        Returns:
            What was made, by machine.

        Raises:
            BlockfoldError: The trouble with one machine, after all others were swept.
        """
        making = Lock()

        def turn(record: MachineRecord) -> list[Manifest]:
            return self._make_due(record.machine, self._head(record.machine), deadline, making)

        listed = (record for record in self.machines.list() if record.schedule.may_be_due)
        records = in_turn(listed, self.clock.now())
        made = sweep(records, turn, self.clock, deadline=deadline).or_first_trouble()
        return {machine: found for machine, found in made.items() if found}

    # -- calls -----------------------------------------------------------------------------

    def start(self, machine: str) -> Status:
        """Run with the stored count and policy; with neither it stays off."""
        return self._change(machine, schedules.start)

    def stop(self, machine: str) -> Status:
        """Be off, and keep count and policy."""
        return self._change(machine, schedules.stop)

    def set_count(self, machine: str, count: object) -> Status:
        """Run with this count, also if stopped; None forgets it; anything else changes nothing."""
        return self._change(
            machine, lambda schedule, head: schedules.set_count(schedule, head, count)
        )

    def set_policy(self, machine: str, **fields: object) -> Status:
        """Set fields of the policy and run, also if stopped; None clears a field.

        A value that cannot be changes nothing.

        Args:
            machine: The machine's id.
            **fields: ``quiet``, ``quiet_most``, ``minutes``, ``bytes``, see `Policy`.
        """
        return self._change(
            machine, lambda schedule, head: schedules.set_policy(schedule, head, fields)
        )

    def dump_now(self, machine: str, at: int | None = None) -> Status:
        """A snapshot of the head, or of exactly one past block.

        Raises:
            NotFound: There is no such machine or block.
        """
        record = self._record(machine)
        manifest, made = self.dump(machine, self._head(machine) if at is None else at)
        self._note(record, manifest.number)
        reason = None if made else "that snapshot exists already"
        return self._status(record, changed=made, reason=reason)

    def status(self, machine: str) -> Status:
        """Count, policy, running, last snapshot, next due.

        Raises:
            NotFound: There is no such machine.
        """
        return self._status(self._record(machine), changed=False)

    # -- inside ------------------------------------------------------------------------------

    def _make_due(
        self, machine: str, upto: int, deadline: float, making: Lock | None = None
    ) -> list[Manifest]:
        """See `make_due`.

        Args:
            machine: The machine's id.
            upto: The last block to look at.
            deadline: When to stop, by the clock's ``monotonic``.
            making: Held from the first snapshot on that is made. None is made if the time is over
                once it is had.
        """
        # The head is read before the settings: what is set after that holds from later blocks on.
        upto = min(upto, self._head(machine))
        record = self._record(machine)
        made: list[Manifest] = []
        delta: Delta | None = None
        with ExitStack() as held:
            while record.dumped < upto:
                number = next(record.schedule.due_between(record.dumped + 1, upto), None)
                if number is not None and not self._is_there(machine, number):
                    if delta is None and making is not None:
                        held.enter_context(making)
                    if (made or making is not None) and self.clock.monotonic() >= deadline:
                        break
                    if delta is None or delta.head.number > number:
                        delta = self._history.since(machine, number, passed=self.passed)
                    self._history.forward(delta, number)
                    made.append(self._save(delta, self._rows(deadline)))
                self.machines.raise_dumped(record, number or upto)
                self._note(record, number)
                record = self._record(machine)
        return made

    @property
    def _history(self) -> History:
        return History(self.log, self.snapshots)

    def _change(self, machine: str, call: Callable[[Schedule, int], Change]) -> Status:
        for _ in range(CHANGE_ATTEMPTS):
            record = self._record(machine)
            change = call(record.schedule, self._head(machine))
            if not change.changed:
                self._keep(record)  # whoever made the change may have died before
                return self._status(record, changed=False, reason=change.reason)
            if self.machines.set_schedule(record, change.schedule):
                record = self._record(machine)
                self._keep(record)
                return self._status(record, changed=True)
        raise Unavailable(
            f"the dumper settings of machine {machine!r} changed {CHANGE_ATTEMPTS} times meanwhile"
        )

    def _keep(self, record: MachineRecord) -> None:
        if self.kept is not None:
            self.kept.keep(record)

    def _status(self, record: MachineRecord, *, changed: bool, reason: str | None = None) -> Status:
        numbers = self.snapshots.numbers(record.machine)
        setting = record.schedule.current
        return Status(
            machine=record.machine,
            running=setting.running,
            count=setting.count,
            changed=changed,
            last_snapshot=numbers[-1] if numbers else None,
            next_due=record.schedule.next_due(self._head(record.machine)),
            reason=reason,
            policy=setting.policy.in_force if setting.policy else None,
        )

    def _is_there(self, machine: str, number: int) -> bool:
        """Whether a block has a snapshot, damaged or not."""
        try:
            return self.snapshots.get(machine, number) is not None
        except Corrupted as error:
            self.passed(error)
            return True

    def _note(self, record: MachineRecord, number: int | None) -> None:
        """Spare a policy in force the snapshot of blocks that have one; not when it is due next."""
        if number is not None and number > record.newest and record.schedule.current.fresh:
            self.machines.note_snapshot(record.machine, number, record.noted)

    def _rows(self, deadline: float) -> int | None:
        """How many rows may be merged until then; None is no bound."""
        rows = (deadline - self.clock.monotonic()) * MERGED_PER_SECOND
        return max(0, int(rows)) if isfinite(rows) else None

    def _record(self, machine: str) -> MachineRecord:
        record = self.machines.get(machine)
        if record is None:
            raise NotFound(f"there is no machine {machine!r}", hint="its first action makes it")
        return record

    def _head(self, machine: str) -> int:
        newest = self.log.head(machine)
        return newest.number if newest else 0

    def _save(self, delta: Delta, most: int | None) -> Manifest:
        block = self.log.get(delta.head.machine, delta.head.number)
        if block is None or block.hash != delta.head.hash:
            raise Corrupted(
                f"block {delta.head.number} of machine {delta.head.machine!r} is gone or "
                "is another than its snapshot says"
            )
        try:
            return delta.saved(block, most)
        except Corrupted:
            # A run of the base is damaged: the log has all that a whole new snapshot needs.
            whole = self._history.from_log(block.machine, block.number)
            return self.snapshots.save(block, whole.sorted_entries())


def in_turn(records: Iterable[MachineRecord], now: int) -> list[MachineRecord]:
    """Machines in another order each hour, so that none is always behind the deadline.

    Args:
        records: What is kept of them.
        now: Milliseconds since 1970 UTC.
    """
    hour = now // 3_600_000
    return sorted(records, key=lambda record: sha256(f"{hour}/{record.machine}".encode()).digest())
