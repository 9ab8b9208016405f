"""The dumper: makes the snapshots that are due, and answers its six calls.

What happens if the process dies: after storing a run, the next dump stores the same run again or
finds it; after the manifest, the next one finds that; after ``dumped`` was raised, nothing is
missing. A run that no manifest names is garbage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from blockfold.application.history import Delta, History, check_snapshot
from blockfold.domain import schedule as schedules
from blockfold.domain.errors import BlockfoldError, Corrupted, NotFound, Unavailable
from blockfold.domain.manifest import Manifest
from blockfold.domain.schedule import Change, Schedule
from blockfold.ports import BlockLog, Clock, MachineRecord, Machines, SnapshotStore

CHANGE_ATTEMPTS = 10

MERGED_PER_SECOND = 30_000
"""Rows that a merge rewrites in a second, counted low: what does not fit is put off."""


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
        next_due: The next due block, or None if none is.
    """

    machine: str
    running: bool
    count: int | None
    changed: bool
    last_snapshot: int | None
    next_due: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Dumper:
    """Makes snapshots from the log, never from the live table.

    Attributes:
        log: The blocks.
        machines: The register, with the schedules.
        snapshots: The snapshots.
        clock: Time.
    """

    log: BlockLog
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock

    # -- snapshots -------------------------------------------------------------------------

    def dump(self, machine: str, number: int) -> tuple[Manifest, bool]:
        """A snapshot of exactly that block, and whether it was made now.

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
        delta = self._history.since(machine, number)
        self._history.forward(delta, number)
        return self._save(delta, None), True

    def make_due(self, machine: str, upto: int, *, deadline: float) -> list[Manifest]:
        """Make every due snapshot up to a block that was not made yet, oldest first.

        Args:
            machine: The machine's id.
            upto: The last block to look at; blocks above the head are left for later.
            deadline: When to stop, by the clock's ``monotonic``; one is always made.

        Raises:
            NotFound: There is no such machine.
            Corrupted: Log or snapshots are damaged.
        """
        # The head is read before the settings: what is set after that holds from later blocks on.
        upto = min(upto, self._head(machine))
        record = self._record(machine)
        made: list[Manifest] = []
        delta: Delta | None = None
        while record.dumped < upto:
            number = next(record.schedule.due_between(record.dumped + 1, upto), None)
            if number is not None and self.snapshots.get(machine, number) is None:
                if made and self.clock.monotonic() >= deadline:
                    break
                if delta is None or delta.head.number > number:
                    delta = self._history.since(machine, number)
                self._history.forward(delta, number)
                seconds = deadline - self.clock.monotonic()
                made.append(self._save(delta, max(0, int(seconds * MERGED_PER_SECOND))))
            self.machines.raise_dumped(record, number or upto)
            record = self._record(machine)
        return made

    def sweep(self, *, deadline: float) -> dict[str, list[Manifest]]:
        """Make what is due and missing for every machine: a lost event is made up for here.

        Returns:
            What was made, by machine.

        Raises:
            BlockfoldError: The trouble with one machine, after all others were swept.
        """
        made: dict[str, list[Manifest]] = {}
        trouble: BlockfoldError | None = None
        hour = self.clock.now() // 3_600_000
        records = [record for record in self.machines.list() if record.schedule.may_be_due]
        # Another order each time, so that none is always behind the deadline.
        records.sort(key=lambda record: sha256(f"{hour}/{record.machine}".encode()).digest())
        for record in records:
            if self.clock.monotonic() >= deadline:
                break
            try:
                found = self.make_due(record.machine, self._head(record.machine), deadline=deadline)
            except BlockfoldError as error:
                trouble = trouble or error
                continue
            if found:
                made[record.machine] = found
        if trouble is not None:
            raise trouble
        return made

    # -- calls -----------------------------------------------------------------------------

    def start(self, machine: str) -> Status:
        """Run with the stored count; without one it stays off."""
        return self._change(machine, schedules.start)

    def stop(self, machine: str) -> Status:
        """Be off, and keep the count."""
        return self._change(machine, schedules.stop)

    def set_count(self, machine: str, count: object) -> Status:
        """Run with this count, also if stopped; None forgets it; anything else changes nothing."""
        return self._change(
            machine, lambda schedule, head: schedules.set_count(schedule, head, count)
        )

    def dump_now(self, machine: str, at: int | None = None) -> Status:
        """A snapshot of the head, or of exactly one past block.

        Raises:
            NotFound: There is no such machine or block.
        """
        record = self._record(machine)
        _, made = self.dump(machine, self._head(machine) if at is None else at)
        reason = None if made else "that snapshot exists already"
        return self._status(record, changed=made, reason=reason)

    def status(self, machine: str) -> Status:
        """Count, running, last snapshot, next due.

        Raises:
            NotFound: There is no such machine.
        """
        return self._status(self._record(machine), changed=False)

    # -- inside ------------------------------------------------------------------------------

    @property
    def _history(self) -> History:
        return History(self.log, self.snapshots)

    def _change(self, machine: str, call: Callable[[Schedule, int], Change]) -> Status:
        for _ in range(CHANGE_ATTEMPTS):
            record = self._record(machine)
            change = call(record.schedule, self._head(machine))
            if not change.changed:
                return self._status(record, changed=False, reason=change.reason)
            if self.machines.set_schedule(record, change.schedule):
                return self._status(self._record(machine), changed=True)
        raise Unavailable(
            f"the dumper settings of machine {machine!r} changed {CHANGE_ATTEMPTS} times meanwhile"
        )

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
        )

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
