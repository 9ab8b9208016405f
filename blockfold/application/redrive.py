"""Bring dead letters back: each of their actions stands in exactly one block in the end.

For each letter the log is searched. What is missing is sent to the actions queue, under names that
executors recognise for ever (`blockfold.application.dead_letter`); then the letter is deleted. A
letter is dead when it is received: no executor has it any more, because the queue gives messages
out for longer than an executor lives. So what blocks hold of it is final.

Letters of a machine are dealt with in order. If one must be left, those behind it are left too.

What happens if the process dies, or another one redrives at the same time:

==========================  ===================================================================
after                       the next one
==========================  ===================================================================
receiving letters           gets them when `HELD_SECONDS` are over
reading the log             starts anew
sending some of a letter    sends those again that no block holds yet; executors drop what was
                            done meanwhile, by its name, also when months have passed
sending all of it           the same: the letter is done, or its second copies are dropped
deleting the letter         does not see it any more
letting letters go          gets them at once
==========================  ===================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from blockfold.application.dead_letter import Plan, Searched, oldest_of, plan_of
from blockfold.application.lost import check_not_lost, check_reaches
from blockfold.application.redriven import Redriven, redriven
from blockfold.application.travel import Traveller
from blockfold.domain.errors import BlockfoldError, Corrupted, LimitExceeded, Refused, Unavailable
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    DeadLetters,
    Letter,
    Machines,
    SnapshotStore,
)

HELD_SECONDS = 300
"""How long nobody else gets a letter that was received; prolonged while the work goes on."""

Progress = Callable[[str, int], None]
"""Told of ``blocks`` read, ``messages`` sent, and ``letters`` dealt with."""


def ignore(_what: str, _count: int) -> None:
    """A progress that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriver:
    """Brings dead letters back.

    Attributes:
        letters: The dead-letter queue.
        log: All blocks, archived ones included.
        machines: The register.
        snapshots: The snapshots.
        archive: The archive.
        clock: Time.
    """

    letters: DeadLetters
    log: BlockLog
    machines: Machines
    snapshots: SnapshotStore
    archive: Archive
    clock: Clock

    def plan(
        self, machine: str | None = None, *, limit: int | None = None, progress: Progress = ignore
    ) -> list[Redriven]:
        """What `carry_out` would do, changing nothing.

        SQS shows the oldest letters of a machine alone, ten at most, until they are deleted. While
        this looks at letters, nobody else can.

        Args:
            machine: Only this machine's letters.
            limit: Look at so many.
            progress: Told how far it is.

        Raises:
            Unavailable: A service failed.
        """
        return self._run(machine, limit, progress, dry=True)

    def carry_out(
        self, machine: str | None = None, *, limit: int | None = None, progress: Progress = ignore
    ) -> list[Redriven]:
        """Send what no block holds, and delete the letters.

        Args:
            machine: Only this machine's letters.
            limit: Deal with so many.
            progress: Told how far it is.

        Raises:
            Unavailable: A service failed: do it again, what was sent is recognised.
            Misconfigured: A permission is missing.
        """
        return self._run(machine, limit, progress, dry=False)

    def _run(
        self, machine: str | None, limit: int | None, progress: Progress, *, dry: bool
    ) -> list[Redriven]:
        run = _Run(self, progress)
        try:
            while limit is None or len(run.found) < limit:
                batch = self.letters.receive(HELD_SECONDS)
                if not batch:
                    break
                run.take(batch)
                for letter in batch:
                    if machine in (None, letter.machine) and letter.message.id not in run.seen:
                        if limit is not None and len(run.found) >= limit:
                            break
                        run.deal(letter, dry=dry)
        except Unavailable as error:
            raise Unavailable(
                f"{error.message}; {len(run.found)} dead letters had been looked at",
                hint="run it again: what was sent is recognised, and what was not is still there",
            ) from error
        finally:
            run.let_go()
        return run.found


@dataclass(slots=True)
class _Run:
    """One pass over the letters.

    Attributes:
        redriver: Whose.
        progress: Told how far it is.
        found: The letters dealt with, in order.
        seen: Their MessageIds.
        stuck: Machines of which a letter was left.
    """

    redriver: Redriver
    progress: Progress
    found: list[Redriven] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    _held: dict[str, Letter] = field(default_factory=dict)
    _until: float = 0.0
    _searched: dict[str, Searched] = field(default_factory=dict)
    _heads: dict[str, int] = field(default_factory=dict)
    _blocks: int = 0
    _messages: int = 0

    def take(self, batch: Sequence[Letter]) -> None:
        """Answer for some letters from now on. What blocks hold of them is final now: look anew."""
        if not self._held:
            self._until = self.redriver.clock.monotonic() + HELD_SECONDS / 2
        self._held.update((each.message.id, each) for each in batch)
        self._heads.clear()

    def deal(self, letter: Letter, *, dry: bool) -> None:
        """Do with a letter what is to be done, or only say so."""
        message = letter.message
        self.seen.add(message.id)
        plan: Plan | None = None
        left = ""
        if letter.machine in self.stuck:
            left = "one before it was left"
        else:
            try:
                plan = self._plan(letter)
                if not dry:
                    self._carry_out(letter, plan)
            except (Corrupted, LimitExceeded, Refused) as error:
                left = str(error)
                self.stuck.add(letter.machine)
        self.found.append(redriven(letter, plan, left))
        self.progress("letters", len(self.found))

    def let_go(self) -> None:
        """Let others have the letters that are left; else they come again by themselves."""
        with suppress(BlockfoldError):
            self.redriver.letters.hold([*self._held.values()], 0)

    def _plan(self, letter: Letter) -> Plan:
        """What is to be done with a letter.

        Raises:
            Corrupted: Blocks of its machine are lost: nobody can tell.
        """
        machine = letter.machine
        searched = self._searched.get(machine)
        if searched is None:
            traveller = Traveller(self.redriver.log, self.redriver.snapshots)
            searched = self._searched[machine] = Searched(traveller, machine, self._read_one)
        searched.look(self._head(machine), oldest_of(letter))
        return plan_of(letter, searched)

    def _head(self, machine: str) -> int:
        """The number of a machine's newest block; read once for all letters of a batch."""
        if machine not in self._heads:
            redriver = self.redriver
            record = redriver.machines.get(machine)
            newest = redriver.log.head(machine)
            number = newest.number if newest else 0
            check_reaches(machine, number, record.flushed if record else 0)
            if newest is None:
                check_not_lost(redriver.archive, redriver.log, machine)
            self._heads[machine] = number
        return self._heads[machine]

    def _carry_out(self, letter: Letter, plan: Plan) -> None:
        letters = self.redriver.letters
        for part in plan.parts:
            self._keep()
            token = part.token(letter)
            if part.body:
                letters.send(
                    letter.machine, part.body, part.producer, part.count, token, part.spoiled
                )
            else:
                letters.send_again(letter, token)
            self._messages += 1
            self.progress("messages", self._messages)
        letters.delete(letter)
        del self._held[letter.message.id]

    def _read_one(self) -> None:
        self._blocks += 1
        self.progress("blocks", self._blocks)
        self._keep()

    def _keep(self) -> None:
        """Hold all letters for longer, if it is time."""
        now = self.redriver.clock.monotonic()
        if now >= self._until:
            self.redriver.letters.hold([*self._held.values()], HELD_SECONDS)
            self._until = now + HELD_SECONDS / 2
