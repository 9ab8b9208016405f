"""Remembers in a folder, by machines as plain objects in this process: no AWS, no emulator."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from blockfold.domain.errors import Unavailable
from blockfold.recorders.file import FileRecorder
from blockfold.records import Readable
from blockfold.runtime.runtime import Runtime
from examples.bot.memory import Told
from examples.bot.naming import machine_of
from machines.remember import Remember


class ObjectMemory:
    """See `examples.bot.memory.Memory`. One process at a time may have a folder.

    What is answered is stored: each action's block is in the folder when `tell` returns. Whoever
    is killed before that has answered nothing, and the action is gone with the process.

    Args:
        folder: Where everything is kept; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._machines: dict[str, tuple[Runtime, FileRecorder]] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all machines; each leaves a snapshot to start from."""
        self._machines.clear()
        self._open.close()

    def tell(self, server: str, type_: str, /, **args: object) -> Told:
        """Execute an action, and store its block; see `Memory`."""
        machine, recorder = self._machine(server)
        done = machine.write({"type": type_, "args": args})
        recorder.flush()
        if done.outcome is None or done.number is None:
            raise Unavailable(f"{done!r} of machine {machine.machine!r} stands in no block yet")
        return Told(done.outcome, done.reason or "", done.number)

    def state(self, server: str) -> Readable:
        """The state at the head; see `Memory`."""
        return self._machine(server)[0].state

    def _machine(self, server: str) -> tuple[Runtime, FileRecorder]:
        """The machine of a server, started when it is first asked for."""
        id_ = machine_of(server)
        with self._lock:
            if id_ not in self._machines:
                recorder = FileRecorder(self._folder, id_)
                runtime = self._open.enter_context(Runtime(Remember(), id_, recorder=recorder))
                self._machines[id_] = runtime, recorder
            return self._machines[id_]
