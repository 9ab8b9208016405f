"""A queue in which producers' messages are repeated, lost and brought back, and who executes it."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from blockfold import Limits, Message
from blockfold.application.counter_rows import CounterFold
from blockfold.application.counters import partition_of
from blockfold.application.execute import Executor, Folded
from blockfold.application.tail import Bounds
from blockfold.ports import StateTable
from tests.faults import Faults
from tests.machines_for_tests import Cells
from tests.properties.histories import MACHINE, NEVER
from tests.rebuild.world import World
from tests.snapshots.stack import Unwritable, put
from tests.strategies import SENT, message

Key = tuple[str, int]
"""A message, whichever copy: producer and count; a raw sender's are its own."""


@dataclass
class Queue:
    """A FIFO group.

    Attributes:
        waiting: What is delivered, in order, until it is acknowledged.
        lost: What left the queue without being executed.
        keys: Every message that was ever sent, once, with how many actions it has.
        first: Messages that count as sent first, in order.
    """

    waiting: list[Message] = field(default_factory=list)
    lost: list[Message] = field(default_factory=list)
    keys: dict[Key, int] = field(default_factory=dict)
    ids: dict[str, Key] = field(default_factory=dict)
    counts: Tally[str] = field(default_factory=Tally)
    sent: int = 0

    def send(self, producer: str = "", actions: int = 1) -> Message:
        """The next message of a producer, or of a raw sender."""
        self.counts[producer] += 1
        return self._take(producer, self.counts[producer], actions)

    def repeat(self, message: Message) -> Message:
        """The same again, after SQS forgot it: another id, another number."""
        return self._take(message.producer, message.count, len(message.asked))

    def lose(self) -> None:
        """The first message goes to the dead letters."""
        self.lost.append(self.waiting.pop(0))

    def redrive(self) -> None:
        """What was lost comes again, as new messages."""
        while self.lost:
            lost = self.lost.pop(0)
            again = self._take(lost.producer, lost.count, len(lost.asked))
            if not lost.producer:  # nobody can tell that it is the same
                self.keys[self.ids[again.id]] = self.keys.pop(self.ids[lost.id])

    def _take(self, producer: str, count: int, actions: int) -> Message:
        self.sent += 1
        texts = [f"{producer}/{count}/{index}" for index in range(actions)]
        made = message(
            self.sent,
            [{"type": "run", "args": {"steps": [put(text, self.sent)]}} for text in texts],
            sent=SENT + self.sent,
        )
        if producer:
            made = replace(made, producer=producer, count=count)
        key = (producer, count) if producer else (made.id, 0)
        self.ids[made.id] = key
        self.keys[key] = actions
        self.waiting.append(made)
        return made

    def deliver(
        self, fold: Callable[[Sequence[Message]], Folded], most: int, *, heard: bool = True
    ) -> Folded:
        """Hand out the first messages; delete what was done, if the queue hears of it."""
        batch = self.waiting[:most]
        folded = fold(batch)
        assert folded.error is None
        if heard:
            again = {each.id for each in folded.again}
            done = {each.id for each in batch} - again
            self.waiting = [each for each in self.waiting if each.id not in done]
        return folded

    def drain(self, fold: Callable[[Sequence[Message]], Folded]) -> None:
        """Deliver until nothing is left."""
        for _ in range(10 * len(self.waiting) + 10):
            if not self.waiting:
                return
            self.deliver(fold, 10)
        raise AssertionError("the queue is never empty")


def executor(
    world: World, faults: Faults | None = None, *, actions: int = 10_000, tail: int = 20_000
) -> Executor:
    """A cold one, whose blocks are full early, or whose table may not lag far."""
    return replace(
        world.executor(faults, Cells()),
        limits=Limits(actions=actions),
        bounds=Bounds(writes=tail, chunk=1),
    )


def by(executor: Executor, machine: str = MACHINE) -> Callable[[Sequence[Message]], Folded]:
    """Fold messages by an executor."""
    return lambda messages: executor.fold(machine, messages, deadline=NEVER)


def lag(world: World, message: Message) -> None:
    """Commit a message in a block that is not flushed."""
    table = cast("StateTable", Unwritable(world.table))
    folded = by(replace(executor(world), table=table))([message])
    assert len(folded.blocks) == 1
    assert folded.behind


def executed(world: World, queue: Queue) -> list[tuple[Key, int]]:
    """Each action of the log: its message, whichever copy, and its place in that."""
    return [
        (queue.ids[record.id], record.first + index)
        for block in world.blocks()
        for record, index, _ in block.body.actions
    ]


def assert_exactly_once(world: World, queue: Queue) -> None:
    """Each message that was sent stands in blocks once and whole, and the rows say so."""
    found = executed(world, queue)
    wanted = {(key, place) for key, actions in queue.keys.items() for place in range(actions)}
    assert Tally(found) == Tally(wanted)
    for key in queue.keys:
        places = [place for each, place in found if each == key]
        assert places == list(range(len(places))), "in order"
    assert_counted(world)


def assert_counted(world: World, machine: str = MACHINE) -> None:
    """The stored counters are what the log adds up to, and everything verifies."""
    fold = CounterFold()
    for block in world.blocks(machine):
        fold.note(block)
    assert list(world.table.scan(partition_of(machine))) == list(fold.rows())
    verification = world.verify(machine)
    assert verification.ok, verification.findings
