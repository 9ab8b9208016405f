"""Processes on one stack that move one call of a port at a time, freeze, and are killed.

Each runs in a thread of its own, and only the one whose turn it is moves. One that does not get a
turn is suspended, for as long as the others and the clock go on. After `LONGEST` it is killed, as
Lambda ends a function (after 15 minutes, where this gives eight hours).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from blockfold.domain.errors import BlockfoldError
from tests.faults import Killed
from tests.pruning.stack import HOUR, PruneStack

LONGEST = 8 * HOUR


@dataclass
class Process:
    """A thread that waits before each call.

    Attributes:
        name: What it does.
        since: When it began.
        ended: Whether it is over.
        refused: What it ended with, if that was an error that it may end with.
        crashed: What it ended with otherwise: a mistake of the code or the test.
    """

    name: str
    since: int
    ended: bool = False
    refused: BlockfoldError | None = None
    crashed: BaseException | None = None
    _doomed: bool = False
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def start(self, work: Callable[[Process], None]) -> None:
        """Let it run up to its first call."""

        def run() -> None:
            try:
                work(self)
            except Killed:
                pass
            except BlockfoldError as error:
                self.refused = error
            except BaseException as error:  # noqa: BLE001 - the test raises it
                self.crashed = error
            finally:
                self.ended = True
                self._stopped.release()

        threading.Thread(target=run, daemon=True).start()
        self._stopped.acquire()

    def step(self, calls: int = 1) -> None:
        """Let it make the call that it waits before, and run up to the next; so often."""
        for _ in range(calls):
            if not self.ended:
                self._go.release()
                self._stopped.acquire()

    def kill(self) -> None:
        """It makes no further call."""
        self._doomed = True
        while not self.ended:
            self.step()

    def finish(self) -> None:
        while not self.ended:
            self.step()

    def wait(self) -> None:
        """Called by the thread before each call."""
        if self._doomed:
            raise Killed
        self._stopped.release()
        self._go.acquire()
        if self._doomed:
            raise Killed


class Gated:
    """A port each of whose calls waits for the process's turn; so does each deleted key."""

    def __init__(self, port: Any, process: Process) -> None:
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            self._process.wait()
            answer = method(*args, **options)
            return iter(list(answer)) if isinstance(answer, Iterator) else answer

        return call

    def delete(self, keys: Iterable[Any]) -> None:
        for key in keys:
            self._process.wait()
            self._port.delete([key])


def seen_by(stack: PruneStack, process: Process) -> PruneStack:
    """The stack as a process has it: the same stores, behind its turns."""

    def gated(port: object) -> Any:
        return Gated(port, process)

    own = PruneStack(
        gated(stack.log),
        gated(stack.table),
        gated(stack.machines),
        gated(stack.objects),
        stack.clock,
        schedule=stack.schedule,
        part=stack.part,
    )
    own.pushed = stack.pushed
    return own
