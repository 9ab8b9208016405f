"""The same for asyncio: every call to a service runs in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from blockfold.application.outcomes import ActionOutcome
from blockfold.client.machine import FIRST_POLL, LAST_POLL, SEARCHED, KeyVersion, MachineReader
from blockfold.client.points import At
from blockfold.client.state import StateReader
from blockfold.domain.block import Block, Head

T = TypeVar("T")

HANDED_OUT = 100
"""Elements of an iteration that are fetched at once."""


class AsyncStateReader:
    """A machine's state right after one block; see `StateReader`."""

    def __init__(self, state: StateReader) -> None:
        self._state = state

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self._state.machine

    @property
    def number(self) -> int:
        """The block; 0 is the empty state before the first."""
        return self._state.number

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return await asyncio.to_thread(self._state.get, key, default)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that exist, read together."""
        return await asyncio.to_thread(self._state.get_many, list(keys))

    def scan(self, prefix: str = "", *, after: str = "") -> AsyncIterator[tuple[str, Any]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        return _through(lambda: self._state.scan(prefix, after=after))

    async def all(self) -> dict[str, Any]:
        """The whole state."""
        return await asyncio.to_thread(lambda: dict(self._state.scan()))

    async def run(self, read: Callable[[StateReader], T]) -> T:
        """What a function tells of the state: it runs in a thread.

        For records: ``await state.run(lambda state: Player.of(state).top("top", 10))``.
        """
        return await asyncio.to_thread(read, self._state)


class AsyncMachineReader:
    """Reads one machine of a stack; see `MachineReader`. `Stack.async_machine` makes it."""

    def __init__(self, reader: MachineReader) -> None:
        self._reader = reader
        self.machine = reader.machine

    async def head(self) -> Head:
        """The newest block, as the next one builds on it."""
        return await asyncio.to_thread(self._reader.head)

    async def state(self, at: At | None = None) -> AsyncStateReader:
        """The state at the head of now, or at a point of the past."""
        return AsyncStateReader(await asyncio.to_thread(self._reader.state, at))

    async def block(self, number: int) -> Block:
        """One block."""
        return await asyncio.to_thread(self._reader.block, number)

    def blocks(self, first: int = 1, last: int | None = None) -> AsyncIterator[Block]:
        """Blocks ``first`` … ``last`` (the head if None), in order."""
        return _through(lambda: self._reader.blocks(first, last))

    def history(self, key: str) -> AsyncIterator[KeyVersion]:
        """Each value that a key was given, oldest first; reads the whole log."""
        return _through(lambda: self._reader.history(key))

    async def outcome(self, action_id: str, *, blocks: int = SEARCHED) -> ActionOutcome | None:
        """What became of an action; None if none of the newest blocks holds it."""
        return await asyncio.to_thread(self._reader.outcome, action_id, blocks=blocks)

    async def wait(
        self, action_id: str, seconds: float = 30.0, *, blocks: int = SEARCHED
    ) -> ActionOutcome:
        """What became of an action, as soon as it stands in a block; holds no thread meanwhile.

        Raises:
            Unavailable: It stood in no block by then.
        """
        watch = self._reader.watch(action_id, blocks=blocks)
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        pause = FIRST_POLL
        while (found := await asyncio.to_thread(watch.look)) is None:
            if loop.time() >= until:
                raise watch.missed(seconds)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LAST_POLL)
        return found


async def _through(begin: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """Hand out an iterator's elements, some fetched at a time."""
    elements = await asyncio.to_thread(begin)
    while some := await asyncio.to_thread(lambda: list(islice(elements, HANDED_OUT))):
        for each in some:
            yield each
