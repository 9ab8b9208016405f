"""The dumper of a machine in one process: the calls of the stack's, on the same schedule.

Snapshots that are due by count are made after each fold, on exact multiples. Those that a policy
calls for are made by a timer. Neither keeps a write from being done: trouble is logged, kept in
`RuntimeDumper.trouble`, and made up for after the next fold. A recorder that keeps no log is asked
for its own snapshot whenever one is made; what it misses stays missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from threading import Lock

from blockfold.application.checks import Checker, asked
from blockfold.application.dump import Dumper, Status
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError, Refused
from blockfold.ports import Check, Timer
from blockfold.recorders.quiet import TimedClock
from blockfold.runtime.stores import Stores, logger

NEVER = float("inf")


class RuntimeDumper:
    """Makes the snapshots of one machine.

    Args:
        stores: Where the machine is kept.
        clock: Time, and timers for policies.
        prepare: Called before snapshots are made: stores the blocks that they are of.
        keep: Has a recorder that keeps no log make a snapshot of what it was told last; None if
            the recorder keeps the log, and so what is made here, or keeps nothing.
    """

    def __init__(
        self,
        stores: Stores,
        clock: TimedClock,
        prepare: Callable[[], None],
        keep: Callable[[], object] | None = None,
    ) -> None:
        self._trouble: Exception | None = None
        self._not_kept: Exception | None = None
        self._keep = keep
        self._stores = stores
        self._machine = stores.machine
        self._prepare = prepare
        self._dumper: Dumper = stores.dumper()
        self._checks = TimedChecks(clock, self._check)
        self._checker = Checker(self._dumper, self._checks)

    @property
    def trouble(self) -> Exception | None:
        """Why the last snapshot that was due could not be made or kept; None if it could."""
        return self._trouble or self._not_kept

    # -- calls ---------------------------------------------------------------------------------

    def start(self) -> Status:
        """Run with the stored count and policy; with neither it stays off."""
        return self._dumper.start(self._machine)

    def stop(self) -> Status:
        """Be off, and keep count and policy."""
        return self._dumper.stop(self._machine)

    def set_count(self, count: object) -> Status:
        """Run with this count, also if stopped; None forgets it; anything else changes nothing."""
        return self._dumper.set_count(self._machine, count)

    def set_policy(self, **fields: object) -> Status:
        """Set fields of the policy and run, also if stopped: see `Dumper.set_policy`."""
        return self._dumper.set_policy(self._machine, **fields)

    def dump(self, at: int | None = None) -> Status:
        """A snapshot of the head, or of exactly one past block.

        Raises:
            NotFound: There is no such block.
            Refused: It is of a past block, and the recorder keeps no log: it can keep the newest.
        """
        self._prepare()
        if self._keep is None:
            return self._dumper.dump_now(self._machine, at)
        if at is not None and at < self._stores.head:
            raise Refused(
                f"the recorder of machine {self._machine!r} keeps no log, and so no snapshot of "
                f"block {at}",
                hint="snapshot(at) gives it as a value",
            )
        found = self._dumper.dump_now(self._machine, at)
        self._keep()
        return found

    def status(self) -> Status:
        """Count, policy, running, last snapshot, next due."""
        return self._dumper.status(self._machine)

    # -- what the runtime does -----------------------------------------------------------------

    def told(self, number: int) -> None:
        """The recorder was told all of a block: one that keeps no log makes what is due there."""
        if self._keep is None:
            return
        record = self._stores.machines.get(self._machine)
        if record is not None and record.schedule.due(number):
            self._have_kept()

    def after(self, blocks: Sequence[Block]) -> None:
        """Blocks were committed and recorded: make what is due by count, ask for checks."""
        record = self._stores.machines.get(self._machine)
        if record is None or not blocks:
            return
        if record.schedule.may_be_due:
            self._attempt(self._make_due)
        if wanted := asked(blocks, {self._machine: record}):
            self._checks.later(wanted)

    def close(self) -> None:
        """Ask nothing any more."""
        self._checks.close()

    def _make_due(self) -> None:
        record = self._stores.machines.get(self._machine)
        head = self._stores.head
        if record is not None and any(record.schedule.due_between(record.dumped + 1, head)):
            self._prepare()
        self._dumper.make_due(self._machine, head, deadline=NEVER)

    def _check(self, check: Check) -> None:
        def look() -> None:
            self._prepare()
            before = self._newest
            self._checker.check(check, deadline=NEVER)
            if self._newest != before:
                self._have_kept()

        self._attempt(look)

    @property
    def _newest(self) -> int:
        return max(self._stores.snapshots.numbers(self._machine), default=0)

    def _have_kept(self) -> None:
        if self._keep is None:
            return
        try:
            self._keep()
        except Exception as error:  # noqa: BLE001 - of somebody's own recorder
            logger.warning("a snapshot of machine %s was not kept: %s", self._machine, error)
            self._not_kept = error
        else:
            self._not_kept = None

    def _attempt(self, do: Callable[[], None]) -> None:
        try:
            do()
        except BlockfoldError as error:
            logger.warning("a snapshot of machine %s was not made: %s", self._machine, error)
            self._trouble = error
        else:
            self._trouble = None


class TimedChecks:
    """A `Checks` that asks by a timer: of the checks that fall into one second, the newest.

    Args:
        clock: Time and timers.
        ask: Asks; called in a timer's thread.
    """

    def __init__(self, clock: TimedClock, ask: Callable[[Check], None]) -> None:
        self._clock = clock
        self._ask = ask
        self._waiting: dict[int, Check] = {}
        self._timer: Timer | None = None
        self._at = 0
        self._lock = Lock()

    def later(self, checks: Sequence[Check]) -> None:
        """See `Checks.later`."""
        with self._lock:
            for check in checks:
                second = ceil(self._clock.monotonic() + check.seconds)
                self._waiting[second] = check
        self._start()

    def close(self) -> None:
        """Forget what is to be asked."""
        with self._lock:
            self._waiting.clear()
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _start(self) -> None:
        """Have one timer, for the first second."""
        with self._lock:
            first = min(self._waiting, default=None)
            if first is None or (self._timer is not None and self._at <= first):
                return
            before, self._timer, self._at = self._timer, None, first
        if before is not None:
            before.cancel()
        timer = self._clock.call_later(max(0.0, first - self._clock.monotonic()), self._fire)
        with self._lock:
            self._timer = timer

    def _fire(self) -> None:
        with self._lock:
            self._timer = None
            now = self._clock.monotonic()
            due = [self._waiting.pop(each) for each in sorted(self._waiting) if each <= now]
        for check in due:
            self._ask(check)
        self._start()
