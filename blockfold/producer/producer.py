"""The producer for threads."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, Unpack

from blockfold.application.outcomes import ActionOutcome
from blockfold.domain.action import Action
from blockfold.domain.errors import BlockfoldError
from blockfold.ports import BlockLog
from blockfold.producer.bounds import Bounds, Options
from blockfold.producer.core import Acknowledged, Core
from blockfold.producer.courier import Queue
from blockfold.producer.leaving import EXIT_SECONDS, forget, remember
from blockfold.producer.outbox import Stats
from blockfold.producer.parcel import Parcel, Ticket
from blockfold.producer.patience import Patience
from blockfold.producer.runs import outcomes_of
from blockfold.producer.searching import Search
from blockfold.producer.urls import queue_at

WAIT_SECONDS = 30.0
"""How long `Producer.wait` waits for blocks if the caller does not say."""


class Pushed(Ticket):
    """An action that a `Producer` took; see `Ticket` for what is known of it."""

    __slots__ = ("_producer",)

    def __init__(self, producer: Producer, parcel: Parcel, position: int) -> None:
        super().__init__(parcel, position)
        self._producer = producer

    def wait(self, seconds: float | None = WAIT_SECONDS) -> ActionOutcome:
        """What became of it, as soon as it stands in a block. It is sent at once if it was not.

        Raises:
            BlockfoldError: See `Producer.wait`.
        """
        return self._producer.find([self._parcel], Patience(seconds))[0][self.position]


class Producer:
    """Packs actions into messages, and sends each exactly once, in order for each machine.

    A message keeps its bytes and its number, ``(id, count)``, over all tries. SQS drops a repeat
    within five minutes, the executor for ever. Of each machine at most one message is under way.

    Threads may share it. Made before a fork, it works in the parent alone. When the process dies,
    what SQS has not acknowledged is lost, and the next process' producer is another one: to do an
    action for certain and once, give it an id of your own, and look its `outcome` up after a crash.

    Args:
        queue: The actions queue, or its URL.
        log: Where blocks are read, for `wait`; the producer of a `Stack` has it.
        acknowledged: Called by a sending thread with the machine and the number of actions, each
            time that SQS acknowledged a message. It must be quick.
        options: See `Bounds`.

    Raises:
        Misconfigured: An option cannot be, or the URL is no queue's.
    """

    def __init__(
        self,
        queue: Queue | str,
        *,
        log: BlockLog | None = None,
        acknowledged: Acknowledged | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.core = Core(queue_at(queue), log, Bounds(**options), acknowledged)
        remember(self)

    @property
    def id(self) -> str:
        """Its id: random, so that no other process continues its numbers."""
        return self.core.id

    @property
    def stats(self) -> Stats:
        """What it has done so far.

        Raises:
            Refused: It was made before a fork.
        """
        return self.core.stats

    def push(self, machine: str, type_: str, /, **args: object) -> Pushed:
        """Take an action: ``push("grove", "plant", tree="t1", species="oak")``.

        Returns as soon as there is room for it; SQS may not have it yet.

        Raises:
            Refused: The producer is closed, or was made before a fork.
            Misconfigured: No machine can have that id.
            InvalidAction: The type is none.
            LimitExceeded: An argument is no JSON, or the action does not fit any message.
            Unavailable: There was no room within the option ``patience``.
            BlockfoldError: SQS takes nothing for this machine, or there is no room, and it takes
                nothing from here at all; see `flush`.
        """
        return self.push_action(machine, Action.of(type_, **args))

    def push_action(self, machine: str, action: Action, /) -> Pushed:
        """Take an action that may have an id: ``Action.of("plant", "order-7", tree="t1")``.

        Raises:
            BlockfoldError: See `push`.
        """
        core = self.core
        text = core.text_of(action)
        taken = core.put(machine, text)
        if taken is None:
            patience = Patience(core.bounds.patience)
            with core.lock:
                while (taken := core.put(machine, text)) is None:
                    core.changed.wait(core.left_for(machine, patience))
        return Pushed(self, *taken)

    def flush(self, seconds: float | None = None, *, still: float | None = None) -> None:
        """Return when SQS has acknowledged all that was pushed before.

        Args:
            seconds: How long to wait; None for as long as it takes.
            still: How long to wait without any acknowledgement; None likewise.

        Raises:
            Unavailable: It has not in time.
            NotFound, Misconfigured, Refused: It does not take something, and will not before
                something is changed: told at the first try.
            BlockfoldError: What was not acknowledged stays, and goes on being sent.
        """
        self._flush(Patience(seconds, still))

    def wait(
        self, seconds: float | None = WAIT_SECONDS, *, still: float | None = None
    ) -> list[ActionOutcome]:
        """Return when all that was pushed since the last `wait` stands in blocks.

        Flushes first. Reads each new block of each machine once. If it raises, nothing is
        forgotten: wait again.

        Args:
            seconds: How long to wait; None for as long as it takes.
            still: How long to wait without a new block; None likewise.

        Returns:
            The outcomes, in the order of the pushes.

        Raises:
            Misconfigured: This producer knows the queue alone, or may not read.
            Refused: Much more was pushed since then than is kept, or it was made before a fork.
            Unavailable: Some stand in no block in time.
            Corrupted: A log is damaged.
            BlockfoldError: See `flush`.
        """
        self.core.searched()
        runs = self.core.runs.take()
        try:
            self.find([run.parcel for run in runs], Patience(seconds, still))
        except BaseException:
            self.core.runs.give_back(runs)
            raise
        return outcomes_of(runs)

    def find(self, parcels: list[Parcel], patience: Patience) -> list[list[ActionOutcome]]:
        """Flush some messages, and return the outcomes in them as soon as they stand in blocks.

        Raises:
            BlockfoldError: See `wait`.
        """
        followers = self.core.searched()
        if any(parcel.receipt is None for parcel in parcels):
            self._flush(patience, parcels)
        search = Search(followers, parcels, patience)
        while pause := search.look():
            time.sleep(pause)
        return [parcel.outcomes or [] for parcel in parcels]

    def close(self, seconds: float | None = None) -> None:
        """Flush, and take nothing more. Once closed, it stays so.

        In a process that was forked off it does nothing: the parent has what there is to send.

        Args:
            seconds: How long to wait; None for as long as it takes.

        Raises:
            BlockfoldError: See `flush`; then it is not closed, and goes on sending.
        """
        core = self.core
        if not core.inherited:
            patience = Patience(seconds)
            while not core.finish():
                self._flush(patience)
            forget(self)

    def abandon(self) -> int:
        """Close without flushing; how many actions SQS has not acknowledged.

        Those that are just being sent may arrive.
        """
        forget(self)
        return 0 if self.core.inherited else self.core.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close(EXIT_SECONDS)
        except BlockfoldError as late:
            error.add_note(f"besides: {late}")

    def _flush(self, patience: Patience, parcels: list[Parcel] | None = None) -> None:
        flushing = self.core.begin_flush(patience, parcels)
        with self.core.lock:
            while (left := self.core.left_of(flushing)) != 0:
                self.core.changed.wait(left)
