"""What is not recorded yet when the interpreter exits is recorded then."""

from __future__ import annotations

import atexit
import logging
from threading import Lock
from typing import Protocol

logger = logging.getLogger("blockfold.recorders")


class Closable(Protocol):
    """A recorder, as far as its end is concerned."""

    def close(self) -> None:
        """Record what is left."""


_waiting: dict[int, Closable] = {}
"""Recorders with something to record, by identity. They stay alive until it is recorded."""

_lock = Lock()


def remember(recorder: Closable) -> None:
    """Close a recorder at exit, unless it is forgotten before."""
    with _lock:
        if not _waiting:
            atexit.unregister(_close_all)
            atexit.register(_close_all)
        _waiting[id(recorder)] = recorder


def forget(recorder: Closable) -> None:
    """The recorder has recorded all."""
    with _lock:
        _waiting.pop(id(recorder), None)


def _close_all() -> None:
    """Close all; one's trouble keeps no other back."""
    with _lock:
        waiting = [*_waiting.values()]
    for recorder in waiting:
        try:
            recorder.close()
        except Exception as error:  # noqa: BLE001 - the others' turn must come
            logger.error("not recorded at exit: %s", error)
