"""The caller's side: each action goes to a process of its own, whatever becomes of that."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from blockfold.adapters.confined import server as protocol
from blockfold.adapters.confined.trust import Answers, checked
from blockfold.adapters.confined.wire import Connection, Done, Get, Job, Rows, Rubbish
from blockfold.adapters.system import AlarmGuard
from blockfold.domain.action import Action
from blockfold.domain.apply import Verdict
from blockfold.domain.context import Context
from blockfold.domain.errors import LimitExceeded, Misconfigured, OutOfTime, Unavailable
from blockfold.domain.machine import Machine
from blockfold.domain.state import Source, State

ACTION_BYTES = 768 * 1024 * 1024
"""Memory that a confined action may take. The function has 1,769 MB, its caches up to 256 of them,
the interpreter and the block at hand some 200 more."""

START_SECONDS = 20.0
"""How long importing the machine may take."""

GRACE_SECONDS = 1.0
"""How long a process may be silent after its action's time: it ends itself, unless C code spins."""

ORDER_SECONDS = 5.0

_DROPPED = ("AWS_", "_X_AMZN", "_HANDLER")
"""How the names of variables start that no reducer needs: credentials, the runtime's own."""

_question = msgspec.msgpack.Decoder(Get | Rows | Done).decode


@dataclass(slots=True)
class Confinement:
    """A `Runner` that gives each action a limited process; close it when done.

    It costs 150 ms to start and some 2 ms for an action. The process has no clients and no
    credentials; it asks this one for what it reads. How it dies does not matter: that is the
    action's outcome, ``failed``, and marked as the environment's.

    Attributes:
        seconds: The time of an action.
        memory: Bytes that an action may take.
    """

    seconds: float
    memory: int = ACTION_BYTES
    _server: subprocess.Popen[bytes] | None = None
    _orders: socket.socket | None = None
    _serves: type[Machine] | None = None

    def __call__(
        self, machine: Machine, state: State, context: Context, asked: Action, /
    ) -> Verdict:
        """See `Runner`.

        Raises:
            BlockfoldError: The state's source could not be read.
            Misconfigured: The machine cannot be loaded in another process.
            Unavailable: No process could be started.
        """
        self._start(type(machine))
        here, there = socket.socketpair()
        connection = Connection(here)
        child = 0
        try:
            with there:
                child = self._fork(there)
            verdict = self._converse(connection, state.before(), context, asked)
            if verdict is None:
                verdict = self._died(self._reap(child, GRACE_SECONDS))
            else:
                self._reap(child, 0)
            child = 0
        finally:
            connection.close()
            if child:
                self._reap(child, 0)
        return verdict

    def close(self) -> None:
        """End the processes."""
        if self._orders is not None:
            self._orders.close()
        if self._server is not None:
            self._server.kill()
            self._server.wait()
        self._server, self._orders, self._serves = None, None, None

    # -- one action ------------------------------------------------------------------------

    def _converse(
        self, connection: Connection, source: Source, context: Context, asked: Action
    ) -> Verdict | None:
        """What the process says of its action; None if it says nothing to the end."""
        deadline = time.monotonic() + self.seconds + GRACE_SECONDS
        job = Job(
            context.machine,
            context.ordinal,
            context.number,
            context.id,
            context.sender,
            context.milliseconds,
            asked.type,
            asked.args,
        )
        answers = Answers(source)
        try:
            connection.send(job, deadline)
            while not isinstance(question := connection.receive(_question, deadline), Done):
                with AlarmGuard(max(deadline - time.monotonic(), 0.001))():
                    answer = answers.to(question)
                connection.send(answer, deadline)
            return checked(question, context)
        except (TimeoutError, OutOfTime):
            return _failed(f"ran out of its time of {self.seconds:g} s")
        except (Rubbish, LimitExceeded):
            return _failed("its process sent rubbish")
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return None

    def _died(self, ended: int | None) -> Verdict:
        if ended is None:
            return _failed("its process ended the one that watched it")
        if ended == protocol.STILL_RAN:
            return _failed("its process broke off")
        if ended < 0:
            return _failed(f"its process was ended by {_signal_name(-ended)}")
        return _failed(f"its process ended with exit status {ended}")

    # -- the server ------------------------------------------------------------------------

    def _start(self, machine: type[Machine]) -> None:
        if self._server is not None and self._serves is machine and self._server.poll() is None:
            return
        self.close()
        self._orders, theirs = socket.socketpair()
        with theirs:
            self._server = _launch(machine, theirs, self.seconds, self.memory)
        self._serves = machine
        said = self._hear(1_000, START_SECONDS)
        if said != protocol.READY:
            self.close()
            name = f"{machine.__module__}:{machine.__qualname__}"
            if not said:
                raise Unavailable(f"no process could be started for the machine {name}")
            raise Misconfigured(
                f"the machine {name} cannot be loaded in another process: "
                f"{said.decode('utf-8', 'replace')}",
                hint="importing its module must work in a fresh interpreter",
            )

    def _fork(self, there: socket.socket) -> int:
        assert self._orders is not None, "it was started"
        try:
            self._orders.settimeout(ORDER_SECONDS)
            socket.send_fds(self._orders, [protocol.ORDER.pack(protocol.FORK, 0)], [there.fileno()])
        except OSError:
            said = b""
        else:
            said = self._hear(protocol.ANSWER.size, ORDER_SECONDS)
        if len(said) != protocol.ANSWER.size:
            self.close()
            raise Unavailable("no process could be started for an action")
        child: int = protocol.ANSWER.unpack(said)[0]
        return child

    def _reap(self, child: int, seconds: float) -> int | None:
        """Make sure that a process is gone; how it ended, or None if the server is gone, too."""
        assert self._orders is not None, "it was started"
        try:
            self._orders.settimeout(ORDER_SECONDS)
            self._orders.sendall(protocol.ORDER.pack(protocol.REAP, int(seconds * 1000)))
        except OSError:
            said = b""
        else:
            said = self._hear(protocol.ANSWER.size, seconds + ORDER_SECONDS)
        if len(said) == protocol.ANSWER.size:
            ended: int = protocol.ANSWER.unpack(said)[0]
            return ended
        with suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        self.close()
        return None

    def _hear(self, most: int, seconds: float) -> bytes:
        """What the server says; nothing if it is gone or silent."""
        assert self._orders is not None, "it was started"
        try:
            self._orders.settimeout(seconds)
            return self._orders.recv(most)
        except OSError:
            return b""


@contextmanager
def confined(seconds: float, memory: int = ACTION_BYTES) -> Iterator[Confinement]:
    """A `Confinement` whose processes are gone afterwards."""
    runner = Confinement(seconds, memory)
    try:
        yield runner
    finally:
        runner.close()


def _failed(reason: str) -> Verdict:
    return Verdict("failed", reason, environment=True, died=True)


def _launch(
    machine: type[Machine], theirs: socket.socket, seconds: float, memory: int
) -> subprocess.Popen[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)
    }
    environment["PYTHONPATH"] = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    words = [machine.__module__, machine.__qualname__, str(seconds), str(memory)]
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", protocol.__name__, str(theirs.fileno()), *words],
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"no process could be started: {error}") from error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
