"""What waits between the two threads of a chat: lines to be answered, and lines to be said."""

from __future__ import annotations

import logging
import queue
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from examples.bot.chat import Answer, Said
from examples.bot.irc_lines import Bucket, room, split

WAITING = 30
"""Lines of people, and lines to be said, that may wait; more are not taken."""

_log = logging.getLogger(__name__)


class Outbox:
    """Answers to be said, in order, cut into lines, no faster than flood control lets them.

    Args:
        bucket: Flood control.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._texts: deque[tuple[str, str]] = deque()
        self._lines: deque[tuple[str, str]] = deque()

    def __len__(self) -> int:
        return len(self._texts) + len(self._lines)

    def add(self, target: str, text: str) -> None:
        """Have a text said to a channel or a person; from any thread."""
        self._texts.append((target, text))

    def next(self, nick: str) -> tuple[str, str] | None:
        """A line that may go now and to whom, counted as gone; None if there is none.

        Args:
            nick: Whose mask is put before it.
        """
        if self.wait() > 0:
            return None
        while self._texts and not self._lines:
            target, text = self._texts.popleft()
            pieces = split(text, room(nick, target))
            self._lines.extend((target, piece) for piece in pieces)
        if not self._lines:
            return None
        self._bucket.take()
        return self._lines.popleft()

    def wait(self) -> float:
        """Seconds until a line may go, if there is one; 0 if now."""
        return self._bucket.wait()


class Answers:
    """The thread that computes answers, one after the other, into an outbox.

    Args:
        outbox: Where they go.
        wake: Called when there are some.
    """

    def __init__(self, outbox: Outbox, wake: Callable[[], None]) -> None:
        self._outbox = outbox
        self._wake = wake
        self._asked: queue.Queue[tuple[Said, str, str] | None] = queue.Queue(WAITING)

    def start(self, answer: Answer) -> None:
        """Begin; the thread does not keep the process from ending."""
        Thread(target=self._work, args=(answer,), name="answers", daemon=True).start()

    def end(self) -> None:
        """End the thread after what waits; if an answer takes for ever, it is left behind."""
        with suppress(queue.Full):
            self._asked.put_nowait(None)

    def ask(self, said: Said, target: str, address: str) -> bool:
        """Have a line answered; whether it was taken.

        Args:
            said: The line.
            target: To whom the answers go.
            address: What the first of them begins with.
        """
        if len(self._outbox) >= WAITING:
            return False
        try:
            self._asked.put_nowait((said, target, address))
        except queue.Full:
            return False
        return True

    @property
    def idle(self) -> bool:
        """Whether all that was taken is answered."""
        return self._asked.unfinished_tasks == 0

    def _work(self, answer: Answer) -> None:
        while (asked := self._asked.get()) is not None:
            said, target, address = asked
            try:
                for line in answer(said):
                    self._outbox.add(target, address + line)
                    address = ""
            except Exception:  # noqa: BLE001 - it is logged, and the next one is answered
                _log.exception("no answer to %s", said.user)
            finally:
                self._asked.task_done()
                self._wake()
