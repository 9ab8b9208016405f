"""A proxy between AWS clients and the emulator that loses, delays, repeats and refuses requests.

It listens on 127.0.0.1. What it lets through it never changes. Which request meets which fault
comes from a seed and the order in which requests arrive. One request a connection: simple, and
whoever reuses one learns at once that it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from blockfold.local.network import HOST
from tests.soak.shapes import Call, call_of, failure, throttled

HEAD_BYTES = 256 * 1024
DELAY_SECONDS = 1.0
LATE_SECONDS = 5.0

_T = TypeVar("_T")


class Fault(StrEnum):
    """What may happen to a request."""

    LOST_REQUEST = "request lost"
    LOST_ANSWER = "answer lost after the effect"
    CUT_ANSWER = "answer cut short"
    DELAYED = "delayed"
    LATE = "effect long after the caller gave up"
    TWICE = "done twice"
    FAILED = "500 without effect"
    FAILED_AFTER = "500 after the effect"
    THROTTLED = "throttled"


Rates = Mapping[str, float]
"""Service → share of its requests that meet a fault."""

NO_FAULTS: Rates = {}


@dataclass(frozen=True)
class _Request:
    call: Call
    data: bytes


class _Deck:
    """Draws faults: at random, but each kind once before any comes again."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._cards: list[Fault] = []

    def draw(self, rate: float) -> Fault | None:
        if self._random.random() >= rate:
            return None
        if not self._cards:
            self._cards = list(Fault)
            self._random.shuffle(self._cards)
        return self._cards.pop()

    def seconds(self, most: float) -> float:
        return self._random.uniform(0.1, 1.0) * most


class FaultProxy:
    """The proxy, in a thread of its own.

    Args:
        port: The emulator's port.
        seed: Where all chances come from.
        rates: Which share of each service's requests meets a fault; others are let through.
        tell: Told in one line about each fault.
        late: The longest that a request comes late, seconds.

    Attributes:
        requests: Requests by service.
        faults: Faults by service and kind.
    """

    def __init__(
        self,
        port: int,
        *,
        seed: int,
        rates: Rates,
        tell: Callable[[str], None] = lambda _: None,
        late: float = LATE_SECONDS,
    ) -> None:
        self._target = port
        self._rates = rates
        self._tell = tell
        self._late = late
        self._deck = _Deck(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._pending = 0
        self._gate = asyncio.Event()
        self.requests: Counter[str] = Counter()
        self.faults: Counter[tuple[str, Fault]] = Counter()

    def start(self) -> int:
        """Listen; the port."""
        self._thread.start()
        return self._call(self._listen())

    def stop(self) -> None:
        """Listen no more, and drop what is under way."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set_rates(self, rates: Rates) -> None:
        """From now on these rates hold."""
        self._rates = rates

    def hold(self) -> None:
        """Let nothing through any more, and wait until nothing but Lambda calls is under way.

        Then nobody changes what the emulator stores, and it may be stopped: what it saves is of
        one moment, and holds all that it ever acknowledged.
        """
        self._call(self._shut())

    def release(self) -> None:
        """Let requests through again, those that are late first."""
        self._call(self._unshut())

    def settle(self, seconds: float = 60.0) -> bool:
        """Wait for all late requests; whether they were done in time."""
        return self._call(self._settled(seconds))

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=180)

    async def _listen(self) -> int:
        self._gate.set()
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=HEAD_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _shut(self) -> None:
        self._gate.clear()
        while self._under_way:
            await asyncio.sleep(0.01)

    async def _unshut(self) -> None:
        self._gate.set()

    async def _settled(self, seconds: float) -> bool:
        for _ in range(int(seconds / 0.05)):
            if not self._pending:
                return True
            await asyncio.sleep(0.05)
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            request = await _read(reader, writer)
            if request is not None and self._gate.is_set():
                await self._answer(request, writer)
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # caller or emulator went away: the other side learns it by the closed connection
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> None:
        service = request.call.service
        self.requests[service] += 1
        deck = self._deck
        fault = deck.draw(self._rates.get(service, 0.0))
        if fault is not None:
            self.faults[service, fault] += 1
            self._tell(f"{service} {request.call.operation}: {fault}")
        match fault:
            case None:
                writer.write(await self._forward(request))
            case Fault.LOST_REQUEST:
                return
            case Fault.LOST_ANSWER:
                await self._forward(request)
            case Fault.CUT_ANSWER:
                writer.write(_cut(await self._forward(request)))
            case Fault.DELAYED:
                await asyncio.sleep(deck.seconds(DELAY_SECONDS))
                writer.write(await self._forward(request))
            case Fault.LATE:
                self._in_background(self._later(request, deck.seconds(self._late)))
            case Fault.TWICE:
                first = await self._forward(request)
                second = await self._forward(request)
                writer.write(first if len(first) % 2 else second)
            case Fault.FAILED:
                writer.write(failure(service))
            case Fault.FAILED_AFTER:
                await self._forward(request)
                writer.write(failure(service))
            case Fault.THROTTLED:
                writer.write(throttled(service))
        await writer.drain()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, request: _Request, seconds: float) -> None:
        self._pending += 1
        try:
            await asyncio.sleep(seconds)
            await self._gate.wait()
            await self._forward(request)
        except (OSError, EOFError):
            pass  # the emulator was away: the request is lost after all
        finally:
            self._pending -= 1

    async def _forward(self, request: _Request) -> bytes:
        """The emulator's whole answer; EOFError if there was none."""
        if not self._gate.is_set():
            raise EOFError("held")
        counts = request.call != Call("lambda", "Invoke")
        self._under_way += counts
        try:
            reader, writer = await asyncio.open_connection(HOST, self._target)
            try:
                writer.write(request.data)
                await writer.drain()
                answer = await reader.read(-1)
            finally:
                writer.close()
        finally:
            self._under_way -= counts
        if not answer:
            raise EOFError("no answer")
        return answer


def _cut(answer: bytes) -> bytes:
    """The first part of an answer; nothing if it has no body.

    The head stays whole: Python's HTTP client takes half a head for a whole one, and then an
    answer without a body for an empty one.
    """
    head, _, body = answer.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + body[: len(body) // 2] if body else b""


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Request | None:
    """One request as it is to be sent on; None if the caller closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    kept = [each for each in lines if each.lower().split(":")[0] not in {"connection", "expect"}]
    sent = "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1")
    return _Request(call_of(method, path, headers), sent + body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body as it came, its trailer included."""
    parts: list[bytes] = []
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        parts.append(line)
        if size:
            parts.append(await reader.readexactly(size + 2))
    while parts[-1] != b"\r\n":
        parts.append(await reader.readuntil(b"\r\n"))
    return b"".join(parts)
