"""One command at a time in a folder: an advisory lock that dies with its holder."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blockfold.local.errors import DataFolderError

POLL_SECONDS = 0.1


@contextmanager
def exclusive(
    path: Path, *, timeout: float, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the lock file `path` for the duration of the block.

    The lock belongs to the open file, so a killed holder releases it; the file itself stays.

    Args:
        path: The lock file; its folder is made when it is missing.
        timeout: Seconds to wait for another holder.
        waiting: Called once when the lock is taken, before waiting for it.

    Raises:
        DataFolderError: Another process still holds the lock after `timeout`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with path.open("a") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
                if time.monotonic() >= deadline:
                    raise DataFolderError(
                        f"another blockfold command still holds {path} after {timeout:.0f} s",
                        hint="wait for that command to end, or stop it, then try again",
                    ) from None
                time.sleep(POLL_SECONDS)
            else:
                break
        yield
