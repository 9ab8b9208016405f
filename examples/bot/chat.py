"""What a chat is to the bot: lines that people say, and lines to say to them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from examples.bot.naming import folded


@dataclass(frozen=True, slots=True)
class Said:
    """A line that somebody said.

    Attributes:
        server: Name of the server or network: what is said there is remembered there.
        user: Who said it, as the chat names and compares people; nothing proves it but the chat.
        text: What.
        private: Whether only the bot heard it. In public it keeps quiet about what it does not
            understand: other bots may.
        same: The form in which the chat compares names of people; ``user`` is in it.
    """

    server: str
    user: str
    text: str
    private: bool = True
    same: Callable[[str], str] = folded


Answer = Callable[[Said], Sequence[str]]
"""What to say to a line: each element a line without control characters, none for silence."""


class Chat(Protocol):
    """A place where people talk."""

    def run(self, answer: Answer) -> None:
        """Hand over each line in the order in which it was said, and say what is answered.

        A line whose answer was computed but could not be said is not handed over again.

        Args:
            answer: May take as long as a block takes; raises nothing that is to be survived.

        Raises:
            Misconfigured: The chat cannot be joined so, now or later.
        """


def printable(text: str) -> str:
    """Text on one line without control characters, which a terminal or a server would obey."""
    return "".join(" " if unicodedata.category(each) in _CONTROLS else each for each in text)


_CONTROLS = frozenset(("Cc", "Zl", "Zp", "Cs"))
