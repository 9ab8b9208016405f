"""The machine as a plain object, for asyncio: the same calls, awaited.

The work is done in threads of the loop's executor, one call at a time for whatever executes
actions; so a reducer never holds up the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar, Unpack

from blockfold.application.verify import Verification
from blockfold.domain.block import Block, Head
from blockfold.domain.machine import Machine
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.booting import Booted
from blockfold.runtime.frames import Frame
from blockfold.runtime.options import ForkOptions, Options
from blockfold.runtime.replay import Replayed
from blockfold.runtime.runtime import LOOK, Runtime
from blockfold.runtime.view import StateView
from blockfold.runtime.written import Written

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two looks of a follower who waits without a thread."""

HANDED_OUT = 100
"""Frames of an iteration that are read at once."""


class AsyncRuntime:
    """A `Runtime` whose calls are awaited. Takes what `Runtime` takes.

    What only reads memory (`state`, `head`, `booted`) is read as it is; the dumper and cursors are
    those of `runtime`. A call that is cancelled goes on in its thread: an action that was written
    stands in a block all the same.

    Attributes:
        runtime: The machine itself.
    """

    runtime: Runtime
    _polling = False

    def __init__(
        self, code: Machine | type[Machine], machine: str | None = None, **options: Unpack[Options]
    ) -> None:
        self.runtime = Runtime(code, machine, **options)

    @classmethod
    def around(cls, runtime: Runtime) -> Self:
        """A machine that is there already, for asyncio."""
        made = cls.__new__(cls)
        made.runtime = runtime
        return made

    def __repr__(self) -> str:
        """As the machine itself."""
        return f"<Async{repr(self.runtime)[1:]}"

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self.runtime.machine

    @property
    def state(self) -> StateView:
        """The state at the head."""
        return self.runtime.state

    @property
    def head(self) -> Head:
        """The newest block: number, hash, digest, time."""
        return self.runtime.head

    @property
    def digest(self) -> str:
        """The digest of the state."""
        return self.runtime.digest

    @property
    def running(self) -> bool:
        """Whether it takes actions."""
        return self.runtime.running

    @property
    def booted(self) -> Booted:
        """What the last start started from."""
        return self.runtime.booted

    async def start(self, *, background: bool = False) -> Self:
        """See `Runtime.start`."""
        await _call(lambda: self.runtime.start(background=background))
        return self

    async def stop(self) -> None:
        """See `Runtime.stop`."""
        await _call(self.runtime.stop)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def write(self, action: str | Mapping[str, object], /, **args: object) -> Written:
        """See `Runtime.write`."""
        return await _call(lambda: self.runtime.write(action, **args))

    async def write_many(self, actions: Sequence[Mapping[str, object]]) -> list[Written]:
        """See `Runtime.write_many`."""
        return await _call(lambda: self.runtime.write_many(actions))

    async def poll(self, wait: float = 0.0) -> int:
        """See `Runtime.poll`."""
        return await _call(lambda: self.runtime.poll(wait))

    async def run(self, until: asyncio.Event | float) -> None:
        """See `Runtime.run`."""
        loop = asyncio.get_running_loop()
        deadline = None if isinstance(until, asyncio.Event) else loop.time() + until
        while self.runtime.running and not (isinstance(until, asyncio.Event) and until.is_set()):
            wait = LOOK if deadline is None else min(LOOK, deadline - loop.time())
            if wait <= 0:
                return
            await self.poll(wait)

    async def follow(self, after: int | None = None) -> AsyncIterator[Frame]:
        """See `Runtime.follow`. Holds no thread while it waits, however many follow."""
        following = self.runtime.following(after)
        while following.more or following.goes_on:
            if following.more:
                for frame in await _call(following.take):
                    yield frame
            elif self.runtime.in_background or self._polling:
                await asyncio.sleep(PAUSE)
            else:  # one of those who follow has the others' actions brought into blocks
                self._polling = True
                try:
                    await _call(lambda: following.bring(LOOK))
                finally:
                    self._polling = False

    async def __aiter__(self) -> AsyncIterator[Frame]:
        frames = iter(self.runtime)
        while some := await _call(lambda: list(islice(frames, HANDED_OUT))):
            for frame in some:
                yield frame

    async def frames(self) -> list[Frame]:
        """All frames; their states are read when they are looked at."""
        return await _call(lambda: list(self.runtime.frames))

    async def at(
        self,
        *,
        block: int | None = None,
        time: int | str | datetime | None = None,
        frame: int | None = None,
    ) -> Frame:
        """See `Runtime.at`."""
        return await _call(lambda: self.runtime.at(block=block, time=time, frame=frame))

    async def blocks(self, first: int | None = None, last: int | None = None) -> list[Block]:
        """See `Runtime.blocks`."""
        return await _call(lambda: list(self.runtime.blocks(first, last)))

    async def snapshot(self, block: int | None = None) -> Snapshot:
        """See `Runtime.snapshot`."""
        return await _call(lambda: self.runtime.snapshot(block))

    async def undo(self) -> Block:
        """See `Runtime.undo`."""
        return await _call(self.runtime.undo)

    async def redo(self) -> Block:
        """See `Runtime.redo`."""
        return await _call(self.runtime.redo)

    async def restore(self, block: int) -> Block:
        """See `Runtime.restore`."""
        return await _call(lambda: self.runtime.restore(block))

    async def fork(
        self, machine: str, block: int | None = None, **options: Unpack[ForkOptions]
    ) -> AsyncRuntime:
        """See `Runtime.fork`."""
        fork = await _call(lambda: self.runtime.fork(machine, block, **options))
        return AsyncRuntime.around(fork)

    async def replay(self, code: Machine | type[Machine] | None = None) -> Replayed:
        """See `Runtime.replay`."""
        return await _call(lambda: self.runtime.replay(code))

    async def verify(self) -> Verification:
        """See `Runtime.verify`."""
        return await _call(self.runtime.verify)


async def _call(do: Callable[[], T]) -> T:
    return await asyncio.to_thread(do)
