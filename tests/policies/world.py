"""A stack with a queue of checks, in time that passes by hand.

Blocks are sent when they are made, unless a backlog is played. The dumper's clock may be wrong by
an offset; the queue's waiting is always right, as SQS's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from blockfold import Block, Message
from blockfold.adapters.memory import MemoryEventBus
from blockfold.application.announce import Announcer
from blockfold.application.checks import Checker, Tally
from blockfold.domain.manifest import Manifest
from blockfold.ports import Check
from tests.faults import Faults, Killed, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, steps_of
from tests.strategies import SENT, message

REDELIVERY = 900
"""Seconds after which the queue delivers again what was not done: the visibility timeout."""


@dataclass
class DelayQueue:
    """A `Checks`: what waits, by the moment that it is delivered at."""

    world: World
    waiting: list[tuple[int, int, Check]] = field(default_factory=list)
    asked: list[Check] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    def later(self, checks: Sequence[Check]) -> None:
        for check in checks:
            assert 0 <= check.seconds <= 900, "SQS takes no longer delay"
            self.asked.append(check)
            self.put(check, check.seconds)

    def put(self, check: Check, seconds: int) -> None:
        self.waiting.append((self.world.time + 1000 * seconds, next(self.numbers), check))

    def take(self, upto: int) -> tuple[int, Check] | None:
        """The check that is delivered next, and when, unless that is after a moment."""
        self.waiting.sort(key=lambda each: each[:2])
        if not self.waiting or self.waiting[0][0] > upto:
            return None
        at, _, check = self.waiting.pop(0)
        return at, check


@dataclass
class World(Stack):
    """A `Stack` in which time passes.

    Attributes:
        time: The true time, milliseconds since 1970 UTC.
        late: How much older messages are than the blocks that hold them: a backlog.
        queue: The checks.
        made: Blocks whose snapshot a check or a sweep's look at policies made, in order.
        tally: What the dumper's process remembers.
    """

    time: int = SENT
    late: int = 0
    queue: DelayQueue = field(init=False)
    made: list[int] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.queue = DelayQueue(self)

    # -- time --------------------------------------------------------------------------------

    def move(self, time: int, offset: int = 0) -> None:
        """Go on to a moment, by a clock that may be wrong."""
        self.time = max(self.time, time)
        self.clock.milliseconds = self.time + offset

    def message(self, *steps: dict[str, Any]) -> Message:
        """The next message, sent now or, in a backlog, some time ago."""
        self.pushed += 1
        actions = [{"type": "run", "args": {"steps": list(steps)}}]
        return message(self.pushed, actions, sent=self.time - self.late)

    # -- processes ---------------------------------------------------------------------------

    def block(self, machine: str = MACHINE) -> Block:
        """One block more, not announced yet."""
        return self.run(*steps_of(self.pushed), machine=machine)

    def announce(self, *blocks: Block, faults: Faults | None = None) -> None:
        faults = faults or Faults()
        Announcer(
            faulty("machines", self.machines, faults),
            MemoryEventBus(),
            faulty("checks", self.queue, faults),
        ).announce(blocks)

    def checker(self, faults: Faults | None = None) -> Checker:
        faults = faults or Faults()
        return Checker(self.dumper(faults), faulty("checks", self.queue, faults), self.tally)

    def check(self, check: Check, faults: Faults | None = None) -> Manifest | None:
        """One delivery of a check; if the process is killed, it comes again."""
        before = set(self.taken())
        try:
            return self.checker(faults).check(check, deadline=NEVER)
        except Killed:
            self.tally = Tally()
            self.queue.put(check, REDELIVERY)
            return None
        finally:
            self.made += set(self.taken()) - before

    def deliver(self, seconds: int) -> None:
        """Let time pass, and deliver all checks whose time comes."""
        end = self.time + 1000 * seconds
        while (found := self.queue.take(end)) is not None:
            self.move(found[0])
            self.check(found[1])
        self.move(end)

    def sweep(self, faults: Faults | None = None) -> None:
        """What the hourly sweep does: due snapshots, then those that policies call for."""
        before = set(self.taken())
        with suppress(Killed):
            self.dumper(faults).sweep(deadline=NEVER)
            known = set(self.taken())
            self.checker(faults).sweep(deadline=NEVER)
            self.made += sorted(set(self.taken()) - known)
            return
        # Killed: what was not due by count was made by the look at policies.
        record = self.machines.get(MACHINE)
        assert record is not None
        fresh = set(self.taken()) - before
        self.made += sorted(each for each in fresh if not record.schedule.due(each))
