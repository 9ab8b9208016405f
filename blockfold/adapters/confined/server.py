"""The process that forks the processes of actions: it has the machine, and no clients.

``python -m blockfold.adapters.confined.server FD MODULE CLASS SECONDS MEMORY``

On the socket ``FD`` it first says ``READY``, or why it is not. Then it takes orders: ``FORK``, with
the socket for the new process, is answered with the process's id; ``REAP``, with the milliseconds
that it may still take to end by itself, with how it ended. It ends when the socket closes.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import operator
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from blockfold.adapters.confined.worker import work
from blockfold.domain.machine import Machine

READY = b"+"
FORK = b"F"
REAP = b"R"
ORDER = struct.Struct("!cI")
ANSWER = struct.Struct("!i")

STILL_RAN = 255
"""How a process ended that had to be ended: no exit status or signal has this number."""

_POLL_SECONDS = 0.002
_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> None:
    """Serve until the socket is closed."""
    fd, module, name, seconds, memory = arguments
    orders = socket.socket(fileno=int(fd))
    try:
        machine = _load(module, name)
    except BaseException as error:  # noqa: BLE001 - the other end tells it
        orders.sendall(f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:1_000])
        return
    _adopt_orphans()
    gc.freeze()
    orders.sendall(READY)
    serve(orders, machine, float(seconds), int(memory))


def serve(orders: socket.socket, machine: Machine, seconds: float, memory: int) -> None:
    """Take orders until the socket is closed; one process at a time."""
    child = 0
    while True:
        data, fds, _, _ = socket.recv_fds(orders, ORDER.size, 1)
        if len(data) < ORDER.size:
            return
        order, milliseconds = ORDER.unpack(data)
        if order == FORK:
            child = _fork(orders, fds[0], machine, seconds, memory)
            os.close(fds[0])
            orders.sendall(ANSWER.pack(child))
        else:
            ended = _reap(child, milliseconds / 1000)
            _end_orphans()
            orders.sendall(ANSWER.pack(ended))


def _fork(orders: socket.socket, fd: int, machine: Machine, seconds: float, memory: int) -> int:
    child = os.fork()
    if child:
        with suppress(OSError):
            os.setpgid(child, child)
        return child
    status = 1
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        orders.close()
        work(machine, socket.socket(fileno=fd), seconds, memory)
        status = 0
    finally:
        os._exit(status)


def _reap(child: int, seconds: float) -> int:
    """End a process and all of its group, and tell how it ended by itself, if it did."""
    deadline = time.monotonic() + seconds
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        ended, status = os.waitpid(child, os.WNOHANG)
    with suppress(OSError):  # its group, where a child of its own may be left
        os.killpg(child, signal.SIGKILL)
    if ended:
        return os.waitstatus_to_exitcode(status)
    os.waitpid(child, 0)
    return STILL_RAN


def _adopt_orphans() -> None:
    """Have processes that outlive their parents become this one's children (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    """End what an action's process has left behind."""
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                for orphan in _children():
                    os.kill(orphan, signal.SIGKILL)
                os.waitpid(-1, 0)
    except ChildProcessError:
        return


def _children() -> list[int]:
    own = os.getpid()
    return [
        int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _parent(entry / "stat") == own
    ]


def _parent(stat: Path) -> int:
    with suppress(OSError):
        return int(stat.read_text().rpartition(")")[2].split()[1])
    return 0


def _load(module: str, name: str) -> Machine:
    found: type[Machine] = operator.attrgetter(name)(importlib.import_module(module))
    found.actions()
    return found()


if __name__ == "__main__":
    main(sys.argv[1:])
