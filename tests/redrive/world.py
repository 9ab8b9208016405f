"""A queue of one machine, its dead letters, who executes, and who brings them back."""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from blockfold import Message
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.envelope import named, seal, unseal
from blockfold.adapters.memory_letters import MemoryDeadLetters
from blockfold.adapters.outgoing import Outgoing
from blockfold.application.execute import Folded
from blockfold.application.redrive import HELD_SECONDS, Redriver
from blockfold.application.redriven import Redriven
from blockfold.ports import Receipt
from tests.counters.world import assert_counted, by, executor
from tests.faults import Faults, Killed, faulty
from tests.properties.histories import MACHINE
from tests.rebuild.world import World
from tests.snapshots.stack import HandClock, put
from tests.strategies import SENT

T = TypeVar("T")


@dataclass
class Committed(Faults):
    """Kills right after a block was committed."""

    def step(self, name: str, do: Callable[[], T]) -> T:
        found = super().step(name, do)
        if name == "log.append":
            self._strike()
        return found


@dataclass
class Ticking(HandClock):
    """A clock whose seconds are those of a `Mail`."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Mail:
    """A FIFO group and the letters that it gave up.

    Attributes:
        waiting: What is delivered, in order, until it is acknowledged.
        names: What each action does: it sets a key of that name. Each once, in the order sent.
        sent: Messages of producers, to send them again: name → outgoing.
        packed: Of how many actions the message of that id is.
    """

    world: World = field(default_factory=World)
    waiting: list[Message] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    sent: dict[tuple[str, int], Outgoing] = field(default_factory=dict)
    counts: Tally[str] = field(default_factory=Tally)
    outgoing: dict[str, Outgoing] = field(default_factory=dict)
    clock: Ticking = field(default_factory=Ticking)
    taken: int = 0

    def __post_init__(self) -> None:
        self.letters = MemoryDeadLetters(self.take, self.clock.monotonic)

    # -- the queue -------------------------------------------------------------------------

    def send(self, producer: str = "", actions: int = 1, machine: str = MACHINE) -> Message:
        """The next message of a producer, or of a raw sender."""
        self.counts[producer] += 1
        count = self.counts[producer]
        found = [f"{producer or 'raw'}/{count}/{place}" for place in range(actions)]
        self.names += found
        elements: list[Any] = [{"type": "run", "args": {"steps": [put(name, 1)]}} for name in found]
        body = json.dumps(elements if actions > 1 else elements[0])
        attributes: dict[str, str] = {}
        if producer:
            body, attributes = seal(body)
            attributes |= named(producer, count)
        made = Outgoing(machine, body, f"{producer}/{count}", attributes)
        if producer:
            self.sent[producer, count] = made
        self.take(made)
        return self.waiting[-1]

    def send_body(self, body: str, attributes: dict[str, str] | None = None) -> Message:
        """A message with any text."""
        self.take(Outgoing(MACHINE, body, f"body {self.taken}", attributes or {}))
        return self.waiting[-1]

    def repeat(self, message: Message) -> None:
        """The same again, long after SQS forgot it."""
        self.take(self.sent[message.producer, message.count])

    def take(self, outgoing: Outgoing) -> Receipt:
        """The queue takes a message."""
        self.taken += 1
        self.clock.milliseconds = SENT + self.taken
        opened = unseal(outgoing.body, outgoing.attributes)
        message = Message(
            id=f"{self.taken:08x}-message",
            body=opened.body,
            sequence=str(self.taken),
            sent=SENT + self.taken,
            sender="AROATEST:tester",
            producer=opened.producer,
            count=opened.count,
            spoiled=opened.spoiled,
        )
        self.outgoing[message.id] = outgoing
        self.waiting.append(message)
        return Receipt(message.id, message.sequence, message.queue)

    def lose(self) -> Message:
        """The first message goes to the dead letters."""
        lost = self.waiting.pop(0)
        outgoing = self.outgoing[lost.id]
        self.letters.bury(outgoing.machine, lost, outgoing.body, outgoing.attributes)
        return lost

    def deliver(
        self,
        fold: Callable[[Sequence[Message]], Folded] | None = None,
        most: int = 10,
        *,
        heard: bool = True,
    ) -> Folded:
        """Hand out the first messages; delete what was done, if the queue hears of it."""
        batch = self.waiting[:most]
        folded = (fold or by(executor(self.world)))(batch)
        assert folded.error is None
        if heard:
            again = {each.id for each in folded.again}
            done = {each.id for each in batch} - again
            self.waiting = [each for each in self.waiting if each.id not in done]
        return folded

    def split(self, actions: int, delivered: int = 1) -> None:
        """Deliver to an executor that dies right after a block of so many actions."""
        for _ in range(delivered):
            faults = Committed()
            with suppress(Killed):
                self.deliver(by(executor(self.world, faults, actions=actions)), 1)
            assert faults.dead

    def drain(self, actions: int = 10_000) -> None:
        """Deliver until nothing is left."""
        for _ in range(10 * len(self.waiting) + 10):
            if not self.waiting:
                return
            self.deliver(by(executor(self.world, actions=actions)))
        raise AssertionError("the queue is never empty")

    # -- people ----------------------------------------------------------------------------

    def redriver(self, faults: Faults | None = None) -> Redriver:
        faults = faults or Faults()
        log = ArchivedBlockLog(faulty("log", self.world.log, faults), self.world.archive)
        return Redriver(
            letters=faulty("letters", self.letters, faults),
            log=log,
            machines=faulty("machines", self.world.machines, faults),
            snapshots=self.world.snapshots,
            archive=self.world.archive,
            clock=self.clock,
        )

    def redrive(self, faults: Faults | None = None, limit: int | None = None) -> list[Redriven]:
        """Bring everything back; somebody who died of it has no letter any more."""
        try:
            return self.redriver(faults).carry_out(limit=limit)
        finally:
            self.wait()

    def wait(self) -> None:
        """Long enough for letters to be seen again, and for SQS to forget what it took."""
        self.clock.seconds += HELD_SECONDS + 1

    # -- looking ---------------------------------------------------------------------------

    def done(self) -> list[str]:
        """What the log holds, action by action, in order."""
        return [
            json.loads(bytes(record.args))["steps"][0]["key"]
            for block in self.world.blocks()
            for _, _, record in block.body.actions
        ]

    def begun(self, message: Message) -> int:
        """How many actions of a message stand in blocks."""
        records = (record for block in self.world.blocks() for record in block.body.messages)
        return sum(len(record.actions) for record in records if record.id == message.id)

    def copies(self, message: Message) -> list[Message]:
        """The messages of that name, wherever they wait, itself among them."""
        everywhere = [*self.waiting, *(each.message for each in self.letters.letters)]
        name = (message.producer, message.count)
        return [each for each in everywhere if (each.producer, each.count) == name]

    def come_to_rest(self, actions: int = 10_000) -> None:
        """Drain, redrive, drain, until no letter is left."""
        self.wait()
        self.drain(actions)
        left = [each.left for each in self.redrive() if each.left]
        assert not left
        self.drain(actions)
        assert not self.letters.letters

    def assert_exactly_once(self) -> None:
        """Each action that was sent stands in blocks once, and the counters say so."""
        assert Tally(self.done()) == Tally(self.names)
        if self.world.head():
            assert_counted(self.world)
