"""Law 8 in one process: killed at any call to the outside, each message stands in one block.

What outlives the process is a queue, which forgets what is acknowledged, and the objects that the
recorder stores. Every call to either is a step at which the process dies, before or after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from blockfold import Message
from blockfold.adapters.manual_clock import START, ManualClock
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.canonical import Json
from blockfold.domain.errors import Refused, Unavailable
from blockfold.recorders import MemoryRecorder
from blockfold.runtime import Runtime
from tests.faults import MOMENTS, Faults, Killed, Moment, fail, faulty
from tests.runtime.worlds import MACHINE, cells

MESSAGES = 5


@dataclass
class Queue:
    """A queue that outlives processes, and forgets what is acknowledged.

    As SQS does with a group, it gives nothing while messages of it are out.
    """

    consumes = True
    waiting: list[Message] = field(default_factory=list)
    read_by_this: list[Message] = field(default_factory=list)

    @classmethod
    def of(cls, count: int) -> Queue:
        return cls([message(number) for number in range(1, count + 1)])

    def reopened(self) -> Queue:
        """What the next process sees."""
        return replace(self, read_by_this=[])

    def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
        if self.read_by_this:
            return []
        self.read_by_this += self.waiting[: min(most, 2)]
        return list(self.read_by_this)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        for each in messages:
            if each in self.waiting:  # acknowledging again is no error
                self.waiting.remove(each)
                self.read_by_this.remove(each)

    def release(self, messages: Sequence[Message]) -> None:
        for each in messages:
            self.read_by_this.remove(each)


def message(number: int) -> Message:
    step = f'{{"do":"push","key":"k","value":{number}}}'
    return Message(
        id=f"id-{number}",
        body=f'{{"type":"run","args":{{"steps":[{step}]}}}}',
        queue="queue",
        sequence=str(number),
        sent=START + number,
    )


@dataclass
class World:
    """What outlives a process, and a process on it."""

    queue: Queue
    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)

    def process(self, faults: Faults | None = None) -> Runtime:
        faults = faults or Faults()
        recorder = MemoryRecorder(MACHINE, objects=faulty("objects", self.objects, faults))
        reader = faulty("queue", self.queue.reopened(), faults)
        return cells(reader=reader, recorder=recorder, clock=ManualClock(START + 100))

    def contents(self) -> dict[str, bytes | None]:
        return {each.key: self.objects.get(each.key) for each in self.objects.list("")}


def work(runtime: Runtime) -> None:
    """Read everything; a snapshot in between, an undo, and an orderly end."""
    with runtime:
        runtime.dumper.set_count(2)
        while runtime.poll():
            pass
        if undos(runtime) == 0:
            runtime.undo()


def undos(runtime: Runtime) -> int:
    return sum(block.body.origin is not None for block in runtime.blocks())


def pushed(runtime: Runtime) -> list[str]:
    """The ids of messages in blocks, in order."""
    return [each.id for block in runtime.blocks() for each in block.body.messages]


REHEARSAL = Faults()
work(World(Queue.of(MESSAGES)).process(REHEARSAL))
STEPS = REHEARSAL.steps


def finish(world: World) -> None:
    """Go on in a new process, and see that all is as if nothing had happened."""
    runtime = world.process()
    work(runtime)
    assert pushed(runtime) == [f"id-{number}" for number in range(1, MESSAGES + 1)]
    assert world.queue.waiting == []
    assert undos(runtime) == 1
    values: list[Json] = list(range(1, MESSAGES + 1))
    # Messages that came after the undo go on from what it brought back.
    at = next(block.number for block in runtime.blocks() if block.body.origin is not None)
    del values[at - 2]
    assert runtime.state == {"k": values}
    assert runtime.verify().findings == []
    assert runtime.replay().ok
    again = world.process().start()
    assert again.digest == runtime.digest
    assert pushed(again) == pushed(runtime)


def test_the_rehearsal_takes_steps_of_all_kinds() -> None:
    assert {"queue.read", "queue.acknowledge", "objects.put_new", "objects.get"} <= set(STEPS)
    assert len(STEPS) > 60


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_call_nothing_is_lost_and_nothing_comes_twice(moment: Moment) -> None:
    for at in range(len(STEPS)):
        world = World(Queue.of(MESSAGES))
        faults = Faults(at=[at], moment=moment)
        with pytest.raises((Killed, Refused)):
            work(world.process(faults))
        assert faults.dead
        finish(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_whatever_fails_once_nothing_is_lost_and_nothing_comes_twice(moment: Moment) -> None:
    for at in range(len(STEPS)):
        world = World(Queue.of(MESSAGES))
        faults = Faults(at=[at], moment=moment, strike=fail)
        with suppress(Unavailable, Refused):  # whatever it is, the next process finds all
            work(world.process(faults))
        assert len(faults.steps) > at
        finish(world)


def test_nothing_is_acknowledged_before_it_is_stored() -> None:
    """At each moment, what the queue forgot stands in the objects."""
    for at in range(len(STEPS)):
        world = World(Queue.of(MESSAGES))
        with pytest.raises((Killed, Refused)):
            work(world.process(Faults(at=[at], moment="after")))
        gone = MESSAGES - len(world.queue.waiting)
        reader = Queue.of(0)
        with cells(reader=reader, recorder=MemoryRecorder(MACHINE, objects=world.objects)) as found:
            assert pushed(found)[:gone] == [f"id-{number}" for number in range(1, gone + 1)]


def test_a_reader_that_does_not_say_counts_as_one_that_consumes() -> None:
    class Silent:
        def __init__(self, queue: Queue) -> None:
            self.read, self.acknowledge, self.release = queue.read, queue.acknowledge, queue.release

    world = World(Queue.of(1))
    runtime = cells(
        reader=Silent(world.queue), recorder=MemoryRecorder(MACHINE, objects=world.objects)
    )
    runtime.start().poll()
    with world.process() as again:
        assert again.head.number == 1
