"""The process of one action: limits itself, runs the action, tells what became of it, and ends."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from socket import socket

import msgspec

from blockfold.adapters.confined.wire import Chunk, Connection, Done, Get, Job, Rows, Values
from blockfold.adapters.system import AlarmGuard
from blockfold.domain.action import Action
from blockfold.domain.apply import Verdict, apply
from blockfold.domain.canonical import Canonical
from blockfold.domain.context import Context
from blockfold.domain.machine import Machine
from blockfold.domain.spans import FIRST
from blockfold.domain.state import State

FORBIDDEN = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
)
"""Python's audit events of what makes or ends processes: their limits would be no limits."""

_job = msgspec.msgpack.Decoder(Job).decode
_values = msgspec.msgpack.Decoder(Values).decode
_chunk = msgspec.msgpack.Decoder(Chunk).decode


class PipeSource:
    """The state before the action, asked for at the other end of the socket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._scans = count()

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        self._connection.send(Get(keys))
        return self._connection.receive(_values).values

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        question = Rows(next(self._scans), prefix, after)
        more = True
        while more:
            self._connection.send(question)
            chunk = self._connection.receive(_chunk)
            yield from chunk.rows
            more = chunk.more


def work(machine: Machine, end: socket, seconds: float, memory: int) -> None:
    """Run the one action that comes through the socket; the process is to end after this.

    Args:
        machine: The reducers.
        end: This process's end of the socket.
        seconds: The action's time.
        memory: Bytes that it may take.
    """
    connection = Connection(end)
    job = connection.receive(_job)
    _limit(seconds, memory)
    _forbid(connection)
    context = Context(
        machine=job.machine,
        ordinal=job.ordinal,
        number=job.number,
        id=job.id,
        sender=job.sender,
        milliseconds=job.milliseconds,
    )
    state = State(PipeSource(connection))
    verdict = apply(machine, state, context, Action(job.type, job.args), AlarmGuard(seconds))
    try:
        connection.send(_done(verdict))
    except MemoryError:
        connection.send(Done("failed", "MemoryError", environment=True))


def _done(verdict: Verdict) -> Done:
    return Done(
        verdict.outcome,
        verdict.reason,
        verdict.environment,
        verdict.changes,
        [(event.type, bytes(event.detail)) for event in verdict.events],
    )


def _limit(seconds: float, memory: int) -> None:
    """Bound this process's memory and, should its caller die, its time; no core dumps.

    Where the system does not know a limit, there is none.
    """
    in_use = 0
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()[0]
        in_use = int(pages) * resource.getpagesize()
    if in_use:
        _lower(resource.RLIMIT_AS, in_use + memory)
    _lower(resource.RLIMIT_CPU, math.ceil(seconds) + 2)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, limit: int) -> None:
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (limit, limit))


def _forbid(connection: Connection) -> None:
    """End this process, with that as the action's outcome, before it makes or ends another."""

    def hook(event: str, _arguments: object) -> None:
        if event in FORBIDDEN:
            try:
                connection.send(Done("failed", f"{event} is forbidden", environment=True))
            finally:
                os._exit(1)

    sys.addaudithook(hook)
