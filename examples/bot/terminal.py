"""The chat with whoever sits at the terminal; or with a script, through a pipe."""

from __future__ import annotations

from typing import TextIO

from examples.bot.chat import Answer, Said

PROMPT = "> "
MAX_LINE = 1_000_000
"""Characters of a line that are read; what follows counts as another line."""


class TerminalChat:
    """Lines from a stream, answers to another.

    Args:
        lines: What is said, normally stdin.
        out: Where answers go, normally stdout.
        server: The server's name.
        user: Who sits there.
    """

    def __init__(self, lines: TextIO, out: TextIO, *, server: str, user: str) -> None:
        self._lines = lines
        self._out = out
        self._server = server
        self._user = user
        self._prompt = PROMPT if lines.isatty() and out.isatty() else ""

    def run(self, answer: Answer) -> None:
        """Talk until the end of the input, or until it is interrupted; see `Chat`."""
        if self._prompt:
            self._say("Say .help to learn what I can do, and press Ctrl-D to leave")
        try:
            while line := self._next():
                said = Said(self._server, self._user, line.rstrip("\r\n"))
                for each in answer(said):
                    self._say(each)
        except KeyboardInterrupt:
            pass
        if self._prompt:
            self._say("")  # the shell's prompt begins on a line of its own

    def _next(self) -> str:
        if self._prompt:
            self._out.write(self._prompt)
            self._out.flush()
        return self._lines.readline(MAX_LINE)

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()
