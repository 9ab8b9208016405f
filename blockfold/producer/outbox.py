"""What a producer has taken and SQS has not acknowledged: packing, order, retries; no I/O.

Each machine has a lane of parcels, of which only the first is ever under way: the next one starts
when SQS has acknowledged it. So neither a partly failed batch nor a late retry can change the
order, and of each machine at most one message is in doubt.

Not thread-safe: `Crew` holds a lock around it. Time is given, in seconds, as `Clock.monotonic` has
it. What is in here dies with the process; what SQS acknowledged does not.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from blockfold.adapters.outgoing import SENT_AT_ONCE
from blockfold.application.push import check_machine_id
from blockfold.domain.errors import BlockfoldError, Unavailable
from blockfold.ports import Receipt
from blockfold.producer.bounds import Bounds
from blockfold.producer.parcel import Parcel

FIRST_SECONDS = 0.05
LONGEST_SECONDS = 20.0
"""Longest waits before the second try and before any later one; each is a random share of twice
the one before (full jitter)."""

HURRIED_SECONDS = 5.0
"""The longest wait after a try that a flush hurried: less than `EXIT_SECONDS`, so that the flush at
exit comes to try again, whoever has flushed just before."""

NEARLY = 0.25
"""The share of its waiting for company that a parcel is spared if a request goes anyhow."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a producer has done so far.

    Attributes:
        actions: Actions that were pushed.
        waiting: Of those, the ones that SQS has not acknowledged.
        messages: Messages that SQS acknowledged.
        raw_bytes: Bytes of their actions as JSON.
        sent_bytes: Bytes of the same messages as SQS counts them, compressed where it pays.
        requests: Requests to SQS, without those that the SDK repeated by itself.
        retries: Messages in those requests that had been sent before.
    """

    actions: int = 0
    waiting: int = 0
    messages: int = 0
    raw_bytes: int = 0
    sent_bytes: int = 0
    requests: int = 0
    retries: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """One machine's parcels, in order.

    Attributes:
        machine: The machine's id.
        parcels: What is not acknowledged. Only the last one may be open.
        busy: The first one is under way.
        tries: How often the first one was sent in vain.
        not_before: When it may be sent again.
        error: Why it was not taken the last time.
        turn: Which of all failures of the outbox that was.
        hurried: A flush has let it be sent before its time, and no try was at its time since.
    """

    machine: str
    parcels: deque[Parcel] = field(default_factory=deque)
    busy: bool = False
    tries: int = 0
    not_before: float = 0.0
    error: BlockfoldError | None = None
    turn: int = 0
    hurried: bool = False

    @property
    def ready_at(self) -> float:
        """When the first parcel may be sent."""
        first = self.parcels[0]
        return max(first.due, self.not_before) if first.open else self.not_before


class Outbox:
    """Takes actions, hands out parcels, and takes back what became of them.

    Args:
        producer: The producer's id.
        bounds: How to pack.
        jitter: A random number from 0 to the given one.

    Attributes:
        lanes: The machines of which something is not acknowledged.
        stuck: Those whose first parcel was not taken and will not be, until something is changed.
        requests: Requests to SQS so far.
    """

    def __init__(
        self,
        producer: str,
        bounds: Bounds,
        jitter: Callable[[float], float] = lambda most: random.uniform(0, most),  # noqa: S311 - spreads retries
    ) -> None:
        self.producer = producer
        self.lanes: dict[str, Lane] = {}
        self.stuck: dict[str, Lane] = {}
        self._bounds = bounds
        self._jitter = jitter
        self._counts: dict[str, int] = {}
        self._open: dict[str, Lane] = {}
        self._heap: list[tuple[float, int, Lane]] = []
        self._order = count()
        self._failures = 0
        self._actions = self._waiting = self._held = 0
        self._messages = self._raw = self._sent = 0
        self.requests = self._retries = 0

    @property
    def stats(self) -> Stats:
        """What was done so far."""
        return Stats(
            self._actions, self._waiting, self._messages, self._raw, self._sent, self.requests,
            self._retries,
        )  # fmt: skip

    @property
    def failures(self) -> int:
        """How many tries have failed so far."""
        return self._failures

    @property
    def due(self) -> float | None:
        """When something may next be ready; None if nothing will be by itself."""
        return self._heap[0][0] if self._heap else None

    def has_room(self, size: int) -> bool:
        """Whether an action of so many bytes may come in."""
        if not self._waiting:
            return True
        return (
            self._waiting < self._bounds.waiting_actions
            and self._held + size <= self._bounds.waiting_bytes
        )

    def put(self, machine: str, text: bytes, now: float) -> tuple[Parcel, int]:
        """Take an action; its parcel and its position there.

        Raises:
            Misconfigured: No machine can have that id.
        """
        bounds = self._bounds
        lane = self.lanes.get(machine)
        if lane is None:
            if machine not in self._counts:
                check_machine_id(machine)
            lane = self.lanes[machine] = Lane(machine)
        last = lane.parcels[-1] if lane.parcels else None
        if last is not None and last.open and last.size + len(text) + 1 > bounds.payload:
            self._close(lane, last)
        if last is None or not last.open:
            number = self._counts[machine] = self._counts.get(machine, 0) + 1
            last = Parcel(machine, self.producer, number, now + bounds.linger)
            lane.parcels.append(last)
            self._open[machine] = lane
            if lane.parcels[0] is last:
                self._schedule(lane)
        size = last.size
        position = last.add(text)
        self._actions += 1
        self._waiting += 1
        self._held += last.size - size
        if last.actions >= bounds.actions or last.size >= bounds.payload:
            self._close(lane, last)
        return last, position

    def close_all(self) -> None:
        """Let nothing wait for company: nothing is added to what is here any more."""
        for lane in [*self._open.values()]:
            self._close(lane, lane.parcels[-1])

    def hurry(self, wanted: Iterable[Parcel] | None = None) -> set[Parcel]:
        """Let parcels wait neither for company nor, once between two tries, for the next try.

        Only once: many flushes of a queue that throttles would else come to a storm. A machine that
        SQS takes nothing for is tried at each: who flushes it again may have changed something.

        Args:
            wanted: The parcels; None for all.

        Returns:
            Those of them that are not acknowledged, and what goes before them.
        """
        last: dict[str, int] = {}
        if wanted is None:
            last = {machine: lane.parcels[-1].count for machine, lane in self.lanes.items()}
        else:
            for parcel in wanted:
                if parcel.receipt is None:
                    last[parcel.machine] = max(parcel.count, last.get(parcel.machine, 0))
        waiting: set[Parcel] = set()
        for machine, most in last.items():
            lane = self.lanes[machine]
            for parcel in lane.parcels:
                if parcel.count > most:
                    break
                waiting.add(parcel)
            if lane.parcels[-1].open and lane.parcels[-1].count <= most:
                self._close(lane, lane.parcels[-1])
            if not lane.busy and lane.not_before and (not lane.hurried or machine in self.stuck):
                lane.hurried = True
                lane.not_before = 0.0
                self._schedule(lane)
        return waiting

    def take(self, now: float) -> list[Parcel]:
        """Parcels that are ready, of different machines, as many as go into one request.

        With those that are, some go that nearly are. Each must be given back by `acknowledge` or
        `fail`.
        """
        taken: list[Parcel] = []
        until = now
        while self._heap and self._heap[0][0] <= until and len(taken) < SENT_AT_ONCE:
            lane = heappop(self._heap)[2]
            if lane.busy or not lane.parcels or lane.ready_at > until:
                continue  # scheduled again since then
            until = now + self._bounds.linger * NEARLY
            lane.busy = True
            if lane.parcels[0].open:
                self._close(lane, lane.parcels[0])
            self._retries += lane.tries > 0
            taken.append(lane.parcels[0])
        return taken

    def acknowledge(self, parcel: Parcel, receipt: Receipt) -> None:
        """The queue has a parcel that was taken; its lane goes on."""
        lane = self.lanes[parcel.machine]
        first = lane.parcels.popleft()
        assert first is parcel, "only a lane's first parcel is under way"
        self._messages += 1
        self._raw += parcel.size
        self._sent += parcel.acknowledge(receipt)
        self._waiting -= parcel.actions
        self._held -= parcel.size - 1
        lane.busy, lane.tries, lane.not_before, lane.error = False, 0, 0.0, None
        lane.hurried = False
        self.stuck.pop(lane.machine, None)
        if lane.parcels:
            self._schedule(lane)
        else:
            del self.lanes[lane.machine]

    def fail(self, parcel: Parcel, error: BlockfoldError, now: float) -> None:
        """The queue may not have a parcel that was taken; it is handed out again, later."""
        lane = self.lanes[parcel.machine]
        self._failures += 1
        lane.busy, lane.error, lane.turn = False, error, self._failures
        if isinstance(error, Unavailable):
            self.stuck.pop(lane.machine, None)
        else:
            self.stuck[lane.machine] = lane
        lane.hurried = lane.hurried and not lane.not_before
        most = HURRIED_SECONDS if lane.hurried else LONGEST_SECONDS
        longest = min(most, FIRST_SECONDS * 2.0 ** min(lane.tries, 30))
        lane.tries += 1
        lane.not_before = now + self._jitter(longest)
        self._schedule(lane)

    def _close(self, lane: Lane, parcel: Parcel) -> None:
        parcel.open = False
        del self._open[lane.machine]
        if lane.parcels[0] is parcel and not lane.busy:
            self._schedule(lane)

    def _schedule(self, lane: Lane) -> None:
        """Note when a lane is ready; a lane may be noted more than once."""
        heappush(self._heap, (lane.ready_at, next(self._order), lane))
