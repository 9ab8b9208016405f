"""A channel in a file: one message a line, appended by anyone, followed as it grows.

A line is the body of a message: an action ``{"type": …, "args": …}`` or an array of them; or an
envelope ``{"id": …, "sent": …, "sender": …, "body": …}`` around one, which is what `write` appends.
The file is only ever appended to. Its lines are numbered, and a machine's blocks record how far it
was read: a machine that starts again goes on behind that line.

What happens if the process dies while it writes: the last line has no end. Readers wait for it,
and say so when they close. The next to write ends it first, so that it becomes a message by itself:
most likely one that is recorded as malformed, never a part of another.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import msgspec

from blockfold.adapters.system import SystemClock
from blockfold.domain.action import Message
from blockfold.domain.block import Mark
from blockfold.domain.canonical import encode_raw
from blockfold.domain.errors import Corrupted, Unavailable
from blockfold.ports import Clock
from blockfold.runtime.lines import Lines

LOOK_SECONDS = 0.05
"""How often a reader that waits looks at the file."""

NAMED_BY = 12
"""Characters of the hash of the first line in a queue's name."""

logger = logging.getLogger("blockfold.runtime")


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    body: msgspec.Raw
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    sent: Annotated[int, msgspec.Meta(ge=0)] | None = None
    sender: str = ""


class JsonlChannel:
    """Reads and writes messages in a file of lines.

    A line tells when it was sent, or counts as sent when it is first read, if that is sooner.

    Args:
        path: The file; made by the first write.
        sender: Who writes.
        name: The queue's name in blocks: what tells this file from others that the machine reads.
            By default the file's name with a hash of its first line, so that the file may be moved
            to another folder, but not renamed.
        clock: Tells when messages were sent; the clock of whoever reads if None.

    Attributes:
        sender: See above.
        path: The file.
        consumes: False: the lines stay.
    """

    consumes = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        sender: str = "",
        *,
        name: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.path = Path(path)
        self.sender = sender
        self._name = name
        self._own_clock = clock
        self._clock: Clock = clock or SystemClock()
        self._marks: dict[str, Mark] = {}
        self._again: deque[Message] = deque()
        self._lines = Lines(self.path)
        self._line = 0
        self._queue: str | None = None

    def begin(self, marks: Sequence[Mark], clock: Clock) -> None:
        """See `Begins.begin`: reading begins behind the last line that blocks hold."""
        self._clock = self._own_clock or clock
        self._marks = {mark.queue: mark for mark in marks}
        self._lines = Lines(self.path)
        self._line = 0
        self._queue = None
        self._again.clear()

    def close(self) -> None:
        """See `Closes.close`: says if the file ends with a torn line. Nothing is held open."""
        if self._lines.torn:
            logger.warning("%s ends with a line that is not complete: it waits", self.path)

    # -- writing -------------------------------------------------------------------------------

    def write(self, body: str) -> str:
        """See `Writer.write`. Locks the file for as long as it takes."""
        name = uuid4().hex
        envelope = _Envelope(
            id=name, sent=self._clock.now(), sender=self.sender, body=msgspec.Raw(body.encode())
        )
        line = encode_raw(envelope) + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":
                    line = b"\n" + line  # whoever wrote the torn line is dead: the lock says so
                _append(file, line, size)
            finally:
                os.close(file)
        except OSError as error:
            raise Unavailable(
                f"could not append to {self.path}: {error}", hint="nothing was written"
            ) from error
        return name

    # -- reading -------------------------------------------------------------------------------

    def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
        """See `Reader.read`.

        Raises:
            Unavailable: The file could not be read.
            Corrupted: It has fewer lines than blocks have read of it: it was cut, or replaced.
        """
        deadline = time.monotonic() + wait
        while True:
            found = self._read(most)
            if not found:
                self._check_whole()
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(LOOK_SECONDS, left))

    def _read(self, most: int) -> list[Message]:
        """The next messages that are there, at most so many.

        Each line is a message by itself, whatever id its envelope claims. Those of one read differ
        in their ids: of two that do not, one would pass for a repetition of the other.
        """
        found: dict[str, Message] = {}
        while len(found) < most and (message := self._next()) is not None:
            if message.id in found:
                self._again.appendleft(message)
                break
            found[message.id] = message
        return list(found.values())

    def _next(self) -> Message | None:
        """The next message: of what was released, then of what was not read yet."""
        if self._again:
            return self._again.popleft()
        while (line := self._lines.next()) is not None:
            if (message := self._message(line)) is not None:
                return message
        return None

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """See `Reader.acknowledge`: the blocks say it."""

    def release(self, messages: Sequence[Message]) -> None:
        """See `Reader.release`."""
        self._again.extendleft(reversed(messages))

    def _message(self, line: bytes) -> Message | None:
        """The message in a line; None if it is empty, or done."""
        self._line += 1
        if self._queue is None:
            self._queue = self._name or f"{self.path.name}#{sha256(line).hexdigest()[:NAMED_BY]}"
        mark = self._marks.get(self._queue)
        read = int(mark.sequence) if mark else 0
        goes_on = mark is not None and mark.next is not None and self._line == read
        if (self._line <= read and not goes_on) or not line.strip():
            return None
        text = line.decode("utf-8", "surrogateescape")
        envelope = _envelope(line)
        name, now = f"{self._queue}:{self._line}", self._clock.now()
        if envelope is None:
            message = Message(name, text, self._queue, str(self._line), now)
        else:
            sent = now if envelope.sent is None else min(envelope.sent, now)
            body = bytes(envelope.body).decode()
            message = Message(
                envelope.id or name, body, self._queue, str(self._line), sent, envelope.sender
            )
        # What is done in part comes again as it was: see `blockfold.domain.marks`.
        return replace(message, sent=mark.sent) if goes_on and mark is not None else message

    def _check_whole(self) -> None:
        """Make sure that the file has the lines that blocks hold of it."""
        mark = self._marks.get(self._queue or self._name or "")
        if mark is not None and self._line < int(mark.sequence):
            raise Corrupted(
                f"{self.path} has {self._line} lines, but {mark.sequence} of it were executed",
                hint="it was cut or replaced: put the lines back, or give the new file a name "
                "of its own: JsonlChannel(path, name=…)",
            )


def _envelope(line: bytes) -> _Envelope | None:
    """The envelope in a line; None if it is a body by itself, or nonsense."""
    try:
        return msgspec.json.decode(line, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _append(file: int, data: bytes, size: int) -> None:
    """Append to a file of so many bytes, whole or not at all."""
    try:
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise
