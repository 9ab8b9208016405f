"""What a machine as a plain object reads messages from and writes them to.

A *channel* is a reader and a writer in one. What a reader or writer may offer besides is asked for
by `Begins` and `Closes`; whoever has nothing to begin or to close leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from blockfold.domain.action import Message
from blockfold.domain.block import Mark
from blockfold.ports import Clock


class Reader(Protocol):
    """Where messages come from, in order, at least once.

    Each message names its queue and has a sequence number that grows within it, so that what was
    executed before is recognised when it comes again (`blockfold.domain.marks`). A message that
    comes again has the ``sent`` that it had.

    Attributes:
        consumes: Whether acknowledging takes messages from where they were durable. What came of
            them is made durable before that, if the recorder can.
    """

    consumes: bool

    def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
        """The next messages. None is given before all earlier ones were, also if a read failed.

        Args:
            most: At most so many.
            wait: Seconds to wait for the first of them.

        Raises:
            Unavailable: They could not be read; reading again may work.
        """

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """These are in blocks and recorded: they need not come again. Idempotent.

        Raises:
            Unavailable: Some may come again.
        """

    def release(self, messages: Sequence[Message]) -> None:
        """These were read and not executed: they come again, in order, before all others."""


@runtime_checkable
class Writer(Protocol):
    """Where actions go: what the reader will give."""

    def write(self, body: str) -> str:
        """Hand over a message; durable, as far as the writer is, when this returns.

        Args:
            body: One action or an array of them, as JSON.

        Returns:
            The message's id, as the reader will give it.

        Raises:
            Unavailable: It may or may not have been taken.
        """


class Channel(Reader, Writer, Protocol):
    """A reader and the writer of what it reads."""


@runtime_checkable
class Begins(Protocol):
    """A reader that is told where to go on."""

    def begin(self, marks: Sequence[Mark], clock: Clock) -> None:
        """A machine starts to read.

        Args:
            marks: How far its blocks have read each queue.
            clock: Its time, for messages that do not say when they were sent.
        """


@runtime_checkable
class Closes(Protocol):
    """A reader, writer or recorder that holds something open."""

    def close(self) -> None:
        """Let go of it. Closing twice is no error, nor is going on afterwards."""
