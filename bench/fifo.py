"""A discrete-event model of FIFO queues and the function that they invoke.

As Amazon SQS and Lambda say they work: messages of a group are delivered in order, while none of
them is in flight; a receive takes up to ten of the group whose turn it is; only the first 120,000
messages of a queue are looked at, those in flight among them ("Amazon SQS FIFO queue and Lambda
concurrency behavior"; the figure is 20,000 in older pages). Groups are spread over queues by hash.
Everything else (polling, throttling, failures) is left out. One seed is one run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from zlib import crc32

LOOK_AHEAD = 120_000
BATCH = 10

Arrival = tuple[float, int]
"""When a message comes, in seconds, and its group."""


@dataclass(slots=True)
class Done:
    """What became of the messages.

    Attributes:
        arrived: When each message came.
        began: When its invocation began.
        ended: When that ended.
        groups: The messages' groups.
        invocations: How many there were.
        widest: The most messages that a queue looked at.
        most: The most invocations at once.
    """

    arrived: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    invocations: int = 0
    widest: int = 0
    most: int = 0

    def latencies(self, *, without: int | None = None) -> list[float]:
        """Seconds from coming to being done, sorted; of all groups but one."""
        times = zip(self.arrived, self.ended, self.groups, strict=True)
        return sorted(end - begin for begin, end, group in times if group != without)


class Queue:
    """A FIFO queue.

    Args:
        look_ahead: Messages that it looks at.
    """

    def __init__(self, look_ahead: int = LOOK_AHEAD) -> None:
        self.seen = 0
        self._look_ahead = look_ahead
        self._hidden: deque[tuple[int, int, float]] = deque()
        self._waiting: dict[int, deque[tuple[int, float]]] = {}
        self._busy: set[int] = set()
        self._ready: list[tuple[int, int]] = []

    def put(self, number: int, group: int, time: float) -> None:
        """Take a message in, behind all others."""
        if self.seen < self._look_ahead:
            self._see(number, group, time)
        else:
            self._hidden.append((number, group, time))

    @property
    def oldest(self) -> int | None:
        """Number of the oldest message that can be delivered; None if none can."""
        return self._ready[0][0] if self._ready else None

    def take(self, most: int) -> tuple[int, list[float]]:
        """Messages of the group whose turn it is: the group, and when each of them came."""
        _, group = heappop(self._ready)
        self._busy.add(group)
        waiting = self._waiting[group]
        return group, [waiting.popleft()[1] for _ in range(min(most, len(waiting)))]

    def delete(self, group: int, messages: int) -> None:
        """Messages are done: their group goes on, and as many hidden ones come into sight."""
        self._busy.discard(group)
        self.seen -= messages
        if waiting := self._waiting[group]:
            heappush(self._ready, (waiting[0][0], group))
        for _ in range(min(messages, len(self._hidden))):
            self._see(*self._hidden.popleft())

    def _see(self, number: int, group: int, time: float) -> None:
        self.seen += 1
        waiting = self._waiting.setdefault(group, deque())
        if not waiting and group not in self._busy:
            heappush(self._ready, (number, group))
        waiting.append((number, time))


def simulate(
    arrivals: Iterable[Arrival],
    service: Callable[[int], float],
    *,
    queues: int = 1,
    look_ahead: int = LOOK_AHEAD,
    batch: int = BATCH,
    executors: int = 1_000,
) -> Done:
    """Deliver messages until all are done.

    Args:
        arrivals: In order of time.
        service: Seconds that an invocation with so many messages takes, until its group goes on.
        queues: How many queues there are; a group always goes to the same one.
        look_ahead: Messages that a queue looks at.
        batch: The most messages of an invocation.
        executors: The most invocations at once.
    """
    made = [Queue(look_ahead) for _ in range(queues)]
    done = Done()
    ends: list[tuple[float, int, int, int, int]] = []
    ticket, number = count(), count()
    coming = iter(arrivals)
    following = next(coming, None)
    now = 0.0
    while following is not None or ends:
        if following is not None and (not ends or following[0] <= ends[0][0]):
            now, group = following
            queue = made[place(group, queues)]
            queue.put(next(number), group, now)
            following = next(coming, None)
            if following is not None and following[0] == now:
                continue
        else:
            now, _, at, group, messages = heappop(ends)
            made[at].delete(group, messages)
        while len(ends) < executors and (turn := _turn(made)) is not None:
            group, times = made[turn].take(batch)
            end = now + service(len(times))
            heappush(ends, (end, next(ticket), turn, group, len(times)))
            done.arrived += times
            done.began += [now] * len(times)
            done.ended += [end] * len(times)
            done.groups += [group] * len(times)
            done.invocations += 1
        done.widest = max(done.widest, *(queue.seen for queue in made))
        done.most = max(done.most, len(ends))
    return done


def place(group: int, queues: int) -> int:
    """The queue of a group, by hash."""
    return crc32(str(group).encode()) % queues


def poisson(
    rate: float, seconds: float, groups: int, seed: int, *, first: int = 0
) -> Iterator[Arrival]:
    """Messages that come by chance, so many a second, to groups drawn at random."""
    random = Random(seed)  # noqa: S311 - a simulation
    now = random.expovariate(rate)
    while now < seconds:
        yield now, first + random.randrange(groups)
        now += random.expovariate(rate)


def _turn(queues: list[Queue]) -> int | None:
    """The queue with the oldest message that can be delivered."""
    found = [
        (oldest, at) for at, queue in enumerate(queues) if (oldest := queue.oldest) is not None
    ]
    return min(found)[1] if found else None
