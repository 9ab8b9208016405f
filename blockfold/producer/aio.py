"""The producer for asyncio: no thread waits with a waiting call.

A few threads send, and one is borrowed for each look into a log.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, Unpack

from blockfold.application.outcomes import ActionOutcome
from blockfold.domain.action import Action
from blockfold.domain.errors import BlockfoldError, Refused
from blockfold.ports import BlockLog
from blockfold.producer.bounds import Options
from blockfold.producer.core import Acknowledged, Core
from blockfold.producer.courier import Queue
from blockfold.producer.leaving import EXIT_SECONDS
from blockfold.producer.outbox import Stats
from blockfold.producer.parcel import Parcel, Ticket
from blockfold.producer.patience import Patience
from blockfold.producer.producer import WAIT_SECONDS, Producer
from blockfold.producer.runs import outcomes_of
from blockfold.producer.searching import Search


class AsyncPushed(Ticket):
    """An action that an `AsyncProducer` took; see `Ticket` for what is known of it."""

    __slots__ = ("_producer",)

    def __init__(self, producer: AsyncProducer, parcel: Parcel, position: int) -> None:
        super().__init__(parcel, position)
        self._producer = producer

    async def wait(self, seconds: float | None = WAIT_SECONDS) -> ActionOutcome:
        """See `Pushed.wait`."""
        found = await self._producer.find([self._parcel], Patience(seconds))
        return found[0][self.position]


class AsyncProducer:
    """`Producer` with coroutines: the same promises, options and errors.

    Belongs to the event loop in which it is first awaited.
    """

    def __init__(
        self,
        queue: Queue | str,
        *,
        log: BlockLog | None = None,
        acknowledged: Acknowledged | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._producer = Producer(queue, log=log, acknowledged=acknowledged, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()
        self._turn = asyncio.Lock()
        self._queued = 0

    @property
    def id(self) -> str:
        """See `Producer.id`."""
        return self._producer.id

    @property
    def stats(self) -> Stats:
        """See `Producer.stats`."""
        return self._producer.stats

    async def push(self, machine: str, type_: str, /, **args: object) -> AsyncPushed:
        """See `Producer.push`: awaits room, not SQS."""
        return await self.push_action(machine, Action.of(type_, **args))

    async def push_action(self, machine: str, action: Action, /) -> AsyncPushed:
        """See `Producer.push_action`."""
        core = self._bound()
        text = core.text_of(action)
        # Those that wait get room in the order in which they came. They are counted: between two
        # of them the lock is free, and whoever came just then would overtake.
        if self._queued or (taken := core.put(machine, text)) is None:
            self._queued += 1
            try:
                async with self._turn:
                    taken = await self._put(machine, text)
            finally:
                self._queued -= 1
        return AsyncPushed(self, *taken)

    async def flush(self, seconds: float | None = None, *, still: float | None = None) -> None:
        """See `Producer.flush`."""
        await self._flush(Patience(seconds, still))

    async def wait(
        self, seconds: float | None = WAIT_SECONDS, *, still: float | None = None
    ) -> list[ActionOutcome]:
        """See `Producer.wait`."""
        core = self._bound()
        core.searched()
        runs = core.runs.take()
        try:
            await self.find([run.parcel for run in runs], Patience(seconds, still))
        except BaseException:
            core.runs.give_back(runs)
            raise
        return outcomes_of(runs)

    async def find(self, parcels: list[Parcel], patience: Patience) -> list[list[ActionOutcome]]:
        """See `Producer.find`."""
        followers = self._bound().searched()
        if any(parcel.receipt is None for parcel in parcels):
            await self._flush(patience, parcels)
        search = Search(followers, parcels, patience)
        while pause := await asyncio.to_thread(search.look):
            await asyncio.sleep(pause)
        return [parcel.outcomes or [] for parcel in parcels]

    async def close(self, seconds: float | None = None) -> None:
        """See `Producer.close`."""
        core = self._producer.core
        if not core.inherited and not core.closed:
            patience = Patience(seconds)
            while not core.finish():
                await self._flush(patience)
            self._producer.close()

    def abandon(self) -> int:
        """See `Producer.abandon`."""
        return self._producer.abandon()

    async def __aenter__(self) -> Self:
        self._bound()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await self.close()
            return
        try:
            await self.close(EXIT_SECONDS)
        except BlockfoldError as late:
            error.add_note(f"besides: {late}")

    async def _put(self, machine: str, text: bytes) -> tuple[Parcel, int]:
        core = self._producer.core
        patience = Patience(core.bounds.patience)
        while True:
            event = self._event
            with core.lock:
                if (taken := core.put(machine, text)) is not None:
                    return taken
                left = core.left_for(machine, patience)
            await _within(event, left)

    async def _flush(self, patience: Patience, parcels: list[Parcel] | None = None) -> None:
        core = self._bound()
        flushing = core.begin_flush(patience, parcels)
        while True:
            event = self._event
            with core.lock:
                left = core.left_of(flushing)
            if left == 0:
                return
            await _within(event, left)

    def _bound(self) -> Core:
        """The core, in the loop that it belongs to.

        Raises:
            Refused: This is another loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._producer.core.listen(self._changed)
        elif self._loop is not loop:
            raise Refused(
                "this producer belongs to another event loop",
                hint="make one in each loop, or use Producer",
            )
        return self._producer.core

    def _changed(self) -> None:
        """SQS answered; called by the threads that send."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # it was closed just now: nobody waits in it
                return

    def _wake(self) -> None:
        woken, self._event = self._event, asyncio.Event()
        woken.set()


async def _within(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for an event, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
