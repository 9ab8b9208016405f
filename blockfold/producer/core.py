"""What both producers share: everything but how a caller waits.

Whoever waits asks again each time that something changed: threads by `Core.changed`, event loops by
`Core.listen`.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from blockfold.domain.action import Action
from blockfold.domain.errors import BlockfoldError, Misconfigured, Refused, Unavailable
from blockfold.ports import BlockLog, Receipt
from blockfold.producer.bounds import Bounds
from blockfold.producer.courier import Answer, Queue
from blockfold.producer.crew import Crew
from blockfold.producer.following import Followers
from blockfold.producer.leaving import Process, check_process
from blockfold.producer.outbox import Lane, Outbox, Stats
from blockfold.producer.parcel import Parcel, text_of
from blockfold.producer.patience import Patience
from blockfold.producer.runs import Runs

ID_BYTES = 16
"""Randomness of a producer's id; as 22 characters that are safe in URLs."""

_STAYS = "they stay here and are sent again: flush() once more, or abandon() to give them up"

logger = logging.getLogger("blockfold.producer")

Acknowledged = Callable[[str, int], None]
"""Told the machine and the number of actions each time that SQS acknowledged a message."""


@dataclass(slots=True, eq=False)
class Flushing:
    """A flush under way.

    Attributes:
        waiting: What was not acknowledged when it began; shrinks.
        turn: How many tries had failed by then.
        patience: How long it may take.
    """

    waiting: set[Parcel]
    turn: int
    patience: Patience


class Core:
    """A producer without its way to wait. Threads may share it.

    Args:
        queue: Where the messages go.
        log: Where their blocks stand; None if nothing will be asked about them.
        bounds: How to pack, and how much to hold.
        acknowledged: See `Acknowledged`; called by the threads that send.

    Attributes:
        id: The producer's id.
        bounds: As they were given.
        outbox: What SQS has not acknowledged.
        followers: What looks into the logs; None if there is none.
        runs: What was pushed since the last wait; stays empty without a log.
        lock: Guards all of this.
        changed: Notified when SQS answered; shares the lock.
        closed: Nothing is taken or sent any more.
    """

    def __init__(
        self, queue: Queue, log: BlockLog | None, bounds: Bounds, acknowledged: Acknowledged | None
    ) -> None:
        self.id = secrets.token_urlsafe(ID_BYTES)
        self.bounds = bounds
        self.outbox = Outbox(self.id, bounds)
        self.followers = Followers(log) if log is not None else None
        self.crew = Crew(self.outbox, queue, bounds.senders, self._begin, self._tell, self._wake)
        self.lock = self.crew.lock
        self.changed = self.crew.changed
        self.closed = False
        self._forks = Process.forks
        self._acknowledged = acknowledged
        self._listeners: list[Callable[[], None]] = []
        self.runs = Runs(self.lock)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call something, in any thread, each time that SQS answered."""
        self._listeners.append(listener)

    @property
    def stats(self) -> Stats:
        """What it has done so far.

        Raises:
            Refused: It was made in another process.
        """
        check_process(self._forks)
        with self.lock:
            return self.outbox.stats

    @property
    def inherited(self) -> bool:
        """Whether this is another process than the one that it was made in."""
        return self._forks != Process.forks

    def check(self) -> None:
        """Refuse what can no longer be done.

        Raises:
            Refused: It was closed, or made in another process.
        """
        check_process(self._forks)
        if self.closed:
            raise Refused("the producer is closed", hint="make another one")

    def text_of(self, action: Action) -> bytes:
        """An action as it will be sent.

        Raises:
            Refused: The producer is closed, or made in another process.
            InvalidAction: Type or id of the action are none.
            LimitExceeded: It does not fit any message.
        """
        self.check()
        return text_of(action)

    def put(self, machine: str, text: bytes) -> tuple[Parcel, int] | None:
        """Take an action if there is room; None if not yet.

        Raises:
            Refused: The producer is closed.
            Misconfigured: No machine can have that id.
            BlockfoldError: SQS takes nothing for that machine; see `left_of`.
        """
        outbox = self.outbox
        with self.lock:
            self.check()
            if (lane := outbox.stuck.get(machine)) is not None:
                raise self._refusal(lane, "push this one again after that")
            if not outbox.has_room(len(text)):
                return None
            due = outbox.due
            parcel, position = outbox.put(machine, text, time.monotonic())
            if outbox.due != due or self.crew.missing:
                self.crew.call()
            if self.followers is not None:
                if not position:
                    self.followers.want(parcel)
                self.runs.note(parcel, position)
            return parcel, position

    def left_for(self, machine: str, patience: Patience) -> float | None:
        """How long to wait for room, None for as long as it takes. The caller holds the lock.

        Raises:
            Unavailable: There is no time left, or no thread to send.
            BlockfoldError: SQS takes nothing from here; see `left_of`.
        """
        stats, stuck = self.outbox.stats, self.outbox.stuck
        if stuck and len(stuck) == len(self.outbox.lanes):
            lane = next(iter(stuck.values()))
            raise self._refusal(lane, f"until then there is no room for machine {machine!r} either")
        left = patience.left(stats.messages)
        if left is not None and left <= 0:
            raise Unavailable(
                f"no room for an action for machine {machine!r} within {patience}: SQS has not "
                f"acknowledged {_counted(stats.waiting)}{self._why(self.outbox.lanes)}",
                hint="push it again later, or allow more: waiting_actions, waiting_bytes",
            )
        self.outbox.close_all()
        self._call()
        return left

    def begin_flush(self, patience: Patience, parcels: Iterable[Parcel] | None = None) -> Flushing:
        """Send parcels now, and what goes before them: all that was taken if none are named.

        Raises:
            Refused: It was made in another process.
        """
        check_process(self._forks)
        with self.lock:
            flushing = Flushing(self.outbox.hurry(parcels), self.outbox.failures, patience)
            self.crew.call()
            return flushing

    def left_of(self, flushing: Flushing) -> float | None:
        """How long to wait for the rest of a flush, None for as long as it takes; 0 if it is done.

        The caller holds the lock.

        Raises:
            Unavailable: There is no time left, or no thread to send.
            BlockfoldError: SQS will not take something before something is changed.
        """
        waiting = flushing.waiting
        while waiting:
            parcel = waiting.pop()
            if parcel.receipt is None:
                waiting.add(parcel)
                break
        else:
            return 0.0
        for lane in self.outbox.stuck.values():
            if lane.turn > flushing.turn and lane.parcels[0] in waiting:
                raise self._refusal(lane)
        left = flushing.patience.left(self.outbox.stats.messages)
        if left is not None and left <= 0:
            raise self._overdue(flushing)
        if self.closed:
            raise Refused("the producer was abandoned", hint="make another one")
        self._call()
        return left

    def finish(self) -> bool:
        """Close it if SQS has acknowledged everything, or if it is closed; whether it is now."""
        with self.lock:
            if not self.closed and not self.outbox.stats.waiting:
                self.stop()
            return self.closed

    def stop(self) -> int:
        """Send nothing any more; how many actions SQS has not acknowledged."""
        with self.lock:
            self.closed = True
            self.crew.stop()
            left = self.outbox.stats.waiting
        self._wake()
        return left

    def searched(self) -> Followers:
        """What looks into the logs.

        Raises:
            Refused: It was made in another process.
            Misconfigured: There is no log to look into.
        """
        check_process(self._forks)
        if self.followers is None:
            raise Misconfigured(
                "this producer knows the queue alone, not the blocks: it cannot wait for outcomes",
                hint="make it by Stack.producer(), which can read them (track=True)",
            )
        return self.followers

    def _begin(self, parcels: Sequence[Parcel]) -> None:
        if self.followers is not None:
            self.followers.begin(parcels)

    def _call(self) -> None:
        self.crew.call()
        if self.crew.missing:
            raise Unavailable("the system lets no thread be started that sends", hint=_STAYS)

    def _tell(self, answers: Sequence[Answer]) -> None:
        if self._acknowledged is None:
            return
        for parcel, answer in answers:
            if isinstance(answer, Receipt):
                try:
                    self._acknowledged(parcel.machine, parcel.actions)
                except BaseException:  # sys.exit() ends the thread it is called in, not the process
                    logger.exception("the function that is told of acknowledgements failed")

    def _wake(self) -> None:
        for listener in self._listeners:
            listener()

    def _refusal(self, lane: Lane, besides: str = "") -> BlockfoldError:
        """The error about a lane that SQS takes nothing from; besides, what else to do."""
        assert lane.error is not None, "a lane is stuck by an error"
        actions = sum(parcel.actions for parcel in lane.parcels)
        error = type(lane.error)(
            f"SQS does not take {_counted(actions)} for machine {lane.machine!r}: "
            f"{lane.error.message}",
            hint="; ".join(each for each in (lane.error.hint, _STAYS, besides) if each),
        )
        error.__cause__ = lane.error
        return error

    def _overdue(self, flushing: Flushing) -> Unavailable:
        waiting: dict[str, int] = {}
        for parcel in flushing.waiting:
            if parcel.receipt is None:
                waiting[parcel.machine] = waiting.get(parcel.machine, 0) + parcel.actions
        return Unavailable(
            f"SQS has not acknowledged {_counted(sum(waiting.values()))} for {_named(waiting)} "
            f"after {flushing.patience}{self._why(waiting)}",
            hint=_STAYS,
        )

    def _why(self, machines: Collection[str]) -> str:
        """What SQS last said about any of those machines."""
        lanes = (self.outbox.lanes[each] for each in machines if each in self.outbox.lanes)
        said = [lane.error for lane in lanes if lane.error is not None]
        return f": {said[0].message}" if said else ""


def _named(machines: Mapping[str, int]) -> str:
    """The machine, or how many they are and which has the most."""
    most = max(machines, key=lambda each: machines[each])
    if len(machines) == 1:
        return f"machine {most!r}"
    return f"{len(machines):,} machines, most of them for {most!r},"


def _counted(actions: int) -> str:
    return f"{actions:,} action" if actions == 1 else f"{actions:,} actions"
