"""Freshness: ask later whether a snapshot is due by a policy, look, and make it.

Whoever hears of a block asks for a check, no sooner than one could be due. A check looks at the
head: a younger block has checks of its own, so an older one's only makes what is due anyhow. One
of the head itself that comes too early is put off. A check that is lost is made up for by the
sweep; one that is repeated, late or out of order makes nothing that was not due.

What happens if the process dies: after the snapshot was stored, the check comes again and finds
it; after it was noted, the check comes again and sees that. After a check was put off, it comes
twice: both look, and the second finds the snapshot of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from blockfold.application.dump import Dumper, in_turn
from blockfold.application.side_by_side import sweep
from blockfold.domain.block import Block
from blockfold.domain.manifest import Manifest
from blockfold.domain.policy import Facts, Policy, fresh_due
from blockfold.ports import BlockLog, Check, Checks, MachineRecord

LONGEST_SECONDS = 900
"""The longest that a check waits at once: what SQS offers."""

BYTES_SECONDS = 10
"""When to count the bytes after a block. They may be due at once, but blocks come in bursts."""

MOST_AGAIN = 8
"""How often a check is put off: two hours. What is due later is left to the hourly sweep.

Lambda cuts a loop of a function and a queue after about 16 rounds (AWS Lambda Developer Guide,
"recursive loop detection").
"""

MOST_REMEMBERED = 1_000
"""Machines that a process remembers counts of."""

_T = TypeVar("_T")


def asked(blocks: Sequence[Block], records: Mapping[str, MachineRecord]) -> list[Check]:
    """The checks that new blocks call for: at most one a machine, of its newest block.

    Args:
        blocks: The blocks.
        records: What is kept of their machines; those that are not registered are left out.
    """
    newest: dict[str, int] = {}
    for block in blocks:
        newest[block.machine] = max(block.number, newest.get(block.machine, 0))
    found = []
    for machine, number in newest.items():
        record = records.get(machine)
        if record is None or (policy := record.schedule.current.fresh) is None:
            continue
        if number >= _first(record):
            found.append(Check(machine, number, _first_look(policy)))
    return found


def _first_look(policy: Policy) -> int:
    """Seconds after a block before which no policy can call for its snapshot."""
    seconds = [LONGEST_SECONDS]
    if policy.quiet is not None:
        seconds.append(policy.quiet)
    if policy.minutes is not None:
        seconds.append(60 * policy.minutes)
    if policy.bytes is not None:
        seconds.append(BYTES_SECONDS)
    return min(seconds)


def _first(record: MachineRecord) -> int:
    """The oldest block that a policy in force speaks for and that has no noted snapshot."""
    return max(record.newest + 1, record.schedule.fresh_from or 1)


class Tally:
    """What a process remembers of blocks without a snapshot, so that it reads each only once.

    A new process counts anew; what it does not remember it reads again. Threads may ask for
    different machines at once.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: dict[str, tuple[int, int]] = {}
        self._bytes: dict[str, tuple[int, int, int]] = {}

    def time(self, log: BlockLog, machine: str, number: int, otherwise: int) -> int:
        """When a block was made, milliseconds since 1970 UTC; ``otherwise`` if it is gone."""
        known, time = self._times.get(machine, (0, 0))
        if known != number:
            block = log.get(machine, number)
            time = otherwise if block is None else block.header.time
            self._remember(self._times, machine, (number, time))
        return time

    def bytes(self, log: BlockLog, machine: str, first: int, last: int, enough: int) -> int:
        """Bytes of the bodies of blocks ``first`` … ``last``; reads no further than enough."""
        known, upto, total = self._bytes.get(machine, (0, 0, 0))
        if known != first or upto > last:
            upto, total = first - 1, 0
        if total < enough and upto < last:
            for block in log.read(machine, upto + 1, last):
                upto, total = block.number, total + len(block.payload)
                if total >= enough:
                    break
            self._remember(self._bytes, machine, (first, upto, total))
        return total

    def _remember(self, known: dict[str, _T], machine: str, what: _T) -> None:
        with self._lock:
            if machine not in known and len(known) >= MOST_REMEMBERED:
                del known[next(iter(known))]
            known[machine] = what


@dataclass(frozen=True, slots=True)
class Checker:
    """Makes the snapshots that policies call for.

    Attributes:
        dumper: Makes snapshots; its stores are looked at.
        checks: Where a check is put off to.
        tally: What this process counted before.
    """

    dumper: Dumper
    checks: Checks
    tally: Tally = field(default_factory=Tally)

    def check(self, check: Check, *, deadline: float) -> Manifest | None:
        """Look whether a snapshot of the head is due: the one that was made now, or None.

        Args:
            check: The check, its time having come.
            deadline: When to be done, by the clock's ``monotonic``; only merging heeds it.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        record = self.dumper.machines.get(check.machine)
        if record is None or record.newest >= check.number:
            return None
        waited = max(0, check.waited) + max(0, check.seconds)
        head, left = self._look(record, check.number, waited)
        if head is None or left is None:
            return None
        if left == 0:
            return self._dump(head, deadline)
        if check.number >= head.number and check.again < MOST_AGAIN:
            seconds = min(left, LONGEST_SECONDS)
            self.checks.later(
                [Check(check.machine, check.number, seconds, waited, check.again + 1)]
            )
        return None

    def sweep(self, *, deadline: float) -> dict[str, Manifest]:
        """Make what is due by policies for every machine: a lost check is made up for here.

        Several machines are looked at at once; snapshots are made of one after the other, as
        `Dumper.sweep` does.

        Returns:
            What was made, by machine.

        Raises:
            BlockfoldError: The trouble with one machine, after all others were swept.
        """
        making = Lock()
        clock = self.dumper.clock

        def turn(record: MachineRecord) -> Manifest | None:
            head, left = self._look(record, None, 0)
            if head is None or left != 0:
                return None
            with making:
                return self._dump(head, deadline) if clock.monotonic() < deadline else None

        listed = (each for each in self.dumper.machines.list() if each.schedule.current.fresh)
        records = in_turn(listed, clock.now())
        made = sweep(records, turn, clock, deadline=deadline).or_first_trouble()
        return {machine: found for machine, found in made.items() if found is not None}

    def _look(
        self, record: MachineRecord, number: int | None, waited: int
    ) -> tuple[Block | None, int | None]:
        """The head, and the seconds until its snapshot is due; None for either if there is none.

        Args:
            record: The machine's record.
            number: The block that somebody waited after; None if nobody did.
            waited: For how many seconds.
        """
        policy, first = record.schedule.current.fresh, _first(record)
        if policy is None or (head := self.dumper.log.head(record.machine)) is None:
            return None, None
        if first > head.number:
            return head, None
        now = self.dumper.clock.now()
        silence: int | None = max(0, now - head.header.time)
        age = 0
        if number is not None:
            # Under a backlog, blocks are old when they are made: only waiting shows silence then.
            silence = 1000 * waited if number >= head.number else None
            age = 1000 * waited if first <= number else 0
        if policy.bound is not None:
            time = self.tally.time(self.dumper.log, record.machine, first, head.header.time)
            # And they are due so long after the last snapshot. (A clock that was wrong is ignored.)
            since = max(time, record.noted if record.noted <= now else 0)
            age = max(age, now - since)
        size = 0
        if policy.bytes is not None:
            size = self.tally.bytes(
                self.dumper.log, record.machine, first, head.number, policy.bytes
            )
        facts = Facts(head.number - first + 1, silence, age, size)
        return head, fresh_due(policy, facts)

    def _dump(self, head: Block, deadline: float) -> Manifest | None:
        manifest, made = self.dumper.dump(
            head.machine, head.number, deadline=deadline, unattended=True
        )
        self.dumper.machines.note_snapshot(head.machine, head.number, self.dumper.clock.now())
        return manifest if made else None
