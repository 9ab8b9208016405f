"""The ends of a process: exit, where what is left is sent, and fork, after which nothing may be."""

from __future__ import annotations

import atexit
import logging
import os
from threading import Lock
from typing import Protocol

from blockfold.domain.errors import Refused

EXIT_SECONDS = 10.0
"""How long each producer keeps the interpreter from exiting until SQS has acknowledged all."""

logger = logging.getLogger("blockfold.producer")


class Leaving(Protocol):
    """A producer, as far as the end of the process is concerned."""

    def close(self, seconds: float | None = None) -> None:
        """Send what is left."""


class Process:
    """This process; `forks` counts how many forks it is away from the first one."""

    forks = 0


_open: dict[int, Leaving] = {}
_lock = Lock()


def remember(producer: Leaving) -> None:
    """Close a producer at exit, unless it is forgotten before."""
    with _lock:
        _open[id(producer)] = producer


def forget(producer: Leaving) -> None:
    """The producer was closed."""
    with _lock:
        _open.pop(id(producer), None)


def check_process(forks: int) -> None:
    """Refuse what another process than its maker's does with a producer.

    Raises:
        Refused: The process was forked since then: the threads that send are not here, and what
            they hold is sent by the parent.
    """
    if forks != Process.forks:
        raise Refused(
            "this producer was made before the process was forked: the parent's threads are not "
            "here",
            hint="make a producer in each process, after the fork",
        )


def _forked() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = Lock()
    Process.forks += 1
    _open.clear()


def _close_all() -> None:
    """Close all; one's trouble keeps no other back."""
    with _lock:
        left = [*_open.values()]
    for producer in left:
        try:
            producer.close(EXIT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the others' turn must come
            logger.warning("actions are lost with this process: %s", error)


if hasattr(os, "register_at_fork"):  # not where there are no forks
    os.register_at_fork(after_in_child=_forked)
atexit.register(_close_all)
