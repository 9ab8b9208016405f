"""What a caller and the process of an action tell each other: frames of MessagePack on a socket.

The caller sends a `Job`; the process asks with `Get` and `Rows`, is answered with `Values` and
`Chunk`, and ends with `Done`. The caller believes nothing: what the process sends may be anything.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from blockfold.domain.block import Outcome

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""More than what one action may write and emit: 16 MiB each, by `blockfold.domain.limits`."""

CHUNK_ROWS = 200
CHUNK_BYTES = 256 * 1024
"""Rows, and bytes of them, that answer one question of a scan."""

_LENGTH_BYTES = 4
_RECEIVE_BYTES = 1024 * 1024

_T = TypeVar("_T")


class Job(msgspec.Struct, tag_field="frame", tag=True, frozen=True):
    """One action with its circumstances; see `Context` and `Action`."""

    machine: str
    ordinal: int
    number: int
    id: str
    sender: str
    milliseconds: int
    type: str
    args: bytes


class Get(msgspec.Struct, tag_field="frame", tag=True, frozen=True):
    """What are the values of these keys?"""

    keys: list[str]


class Rows(msgspec.Struct, tag_field="frame", tag=True, frozen=True):
    """What are the next entries of a scan? An unknown scan begins with these bounds."""

    scan: int
    prefix: str
    after: str


class Done(msgspec.Struct, tag_field="frame", tag=True, frozen=True):
    """What became of the action; see `Verdict`."""

    outcome: Outcome
    reason: str | None = None
    environment: bool = False
    changes: dict[str, bytes | None] = {}
    events: list[tuple[str, bytes]] = []


class Values(msgspec.Struct, frozen=True):
    """The values of those keys that exist."""

    values: dict[str, bytes]


class Chunk(msgspec.Struct, frozen=True):
    """The next entries in key order, and whether there may be more."""

    rows: list[tuple[str, bytes]]
    more: bool


class Rubbish(Exception):
    """What came is no frame that may come now."""


class Connection:
    """One end of a socket: whole frames, each within a time.

    Raises:
        EOFError: The other end is closed.
        Rubbish: What came is no frame of the expected kind.
        TimeoutError: It takes too long.
        OSError: The socket does not work any more.
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def send(self, frame: msgspec.Struct, deadline: float | None = None) -> None:
        """Send a frame; ``deadline`` by ``time.monotonic``, None to wait for ever."""
        data = msgspec.msgpack.encode(frame)
        self.end.settimeout(_left(deadline))
        self.end.sendall(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    def receive(self, decode: Callable[[bytes], _T], deadline: float | None = None) -> _T:
        """Wait for a frame, and decode it."""
        length = int.from_bytes(self._exactly(_LENGTH_BYTES, deadline), "big")
        if length > MAX_FRAME_BYTES:
            raise Rubbish(f"a frame of {length:,} bytes")
        data = self._exactly(length, deadline)
        try:
            return decode(data)
        except (ValueError, RecursionError) as error:
            raise Rubbish(str(error)) from None

    def close(self) -> None:
        """Close this end."""
        self.end.close()

    def _exactly(self, count: int, deadline: float | None) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            self.end.settimeout(_left(deadline))
            part = self.end.recv(min(count - len(parts), _RECEIVE_BYTES))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left
