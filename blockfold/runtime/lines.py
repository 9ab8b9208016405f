"""The lines of a file that others append to, followed as it grows."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from blockfold.domain.errors import Corrupted, Unavailable

CHUNK = 1024 * 1024
"""Bytes that are read from the file at once."""


class Lines:
    """Hands out complete lines, in order, each once.

    Args:
        path: The file, which may come to be later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._waiting: deque[bytes] = deque()
        self._torn = b""

    @property
    def torn(self) -> bool:
        """Whether the file ends with a line that is not complete, as far as it was read."""
        return bool(self._torn)

    def next(self) -> bytes | None:
        """The next line without its end, or None if there is none yet.

        Raises:
            Unavailable: The file could not be read.
            Corrupted: It became shorter: it may only be appended to.
        """
        while not self._waiting:
            data = self._more()
            if not data:
                return None
            *complete, self._torn = (self._torn + data).split(b"\n")
            self._waiting.extend(complete)
        return self._waiting.popleft()

    def _more(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    raise Corrupted(
                        f"{self._path} became shorter while it was read",
                        hint="such a file is only appended to: put back what was taken out",
                    )
                file.seek(self._offset)
                data = file.read(CHUNK)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise Unavailable(f"could not read {self._path}: {error}") from error
        self._offset += len(data)
        return data
