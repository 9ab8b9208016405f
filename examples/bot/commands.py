"""What people say, as commands. Nothing here raises: what is odd becomes a helpful answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from examples.bot.chat import printable
from examples.bot.naming import folded
from machines.remember import MAX_NAME, MAX_TEXT

MOST_TOP = 20
DEFAULT_TOP = 5

HELP = (
    "I remember things for everybody on this server:",
    "Memory: .remember SUBJECT is TEXT · .recall [SUBJECT] · .forget SUBJECT",
    "Games: .play start GAME · .play stop · .play stats [USER] · .play top [K] [time|sessions]",
)

Order = Literal["time", "sessions"]


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep a text under a subject, in place of what stood there."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Say what is kept under a subject; without one, name the subjects."""

    subject: str | None


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop what is kept under a subject."""

    subject: str


@dataclass(frozen=True, slots=True)
class PlayStart:
    """Begin to play."""

    game: str


@dataclass(frozen=True, slots=True)
class PlayStop:
    """End the play that runs."""


@dataclass(frozen=True, slots=True)
class PlayStats:
    """How much somebody played; without a name, whoever asks."""

    user: str | None


@dataclass(frozen=True, slots=True)
class PlayTop:
    """Who played most."""

    count: int
    by: Order


@dataclass(frozen=True, slots=True)
class Advice:
    """Nothing to do, something to say.

    Attributes:
        lines: What.
        known: Whether the command is one of ours.
    """

    lines: tuple[str, ...]
    known: bool = True


Command = Remember | Recall | Forget | PlayStart | PlayStop | PlayStats | PlayTop | Advice

_COMMAND = re.compile(r"\s*\.([^\W\d_]+)(?:\s+(.*))?\s*", re.DOTALL)
_IS = re.compile(r"(?:(.*?)\s)?is(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)


def parse(text: str) -> Command | None:
    """The command in a line; None if it is none: a dot, then a word, then the rest."""
    found = _COMMAND.fullmatch(text)
    if found is None:
        return None
    name, rest = found[1].lower(), (found[2] or "").strip()
    read = _COMMANDS.get(name)
    if read is None:
        return Advice((f"I know no .{shown(name)}. Ask me for .help",), known=False)
    return read(rest)


def shown(name: str) -> str:
    """A name as an answer shows it: printable, and not too long to read."""
    name = printable(name)
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"


def _remember(rest: str) -> Command:
    found = _IS.fullmatch(rest)
    if found is None:
        return _advice("say what it is: .remember meeting is tomorrow")
    subject, text = folded(found[1] or ""), (found[2] or "").strip()
    if not subject:
        return _advice("of what? .remember meeting is tomorrow")
    if not text:
        return _advice(f"what is it? .remember {shown(subject)} is …")
    if len(text) > MAX_TEXT:
        return _advice(
            f"that is too long to remember: {len(text):,} characters, and I take {MAX_TEXT:,}"
        )
    if not is_text(text):
        return _advice("that holds half a character, which I cannot write down")
    return _named(subject, lambda: Remember(subject, text))


def _recall(rest: str) -> Command:
    subject = folded(rest)
    return _named(subject, lambda: Recall(subject)) if subject else Recall(None)


def _forget(rest: str) -> Command:
    subject = folded(rest)
    if not subject:
        return _advice("forget what? .forget meeting")
    return _named(subject, lambda: Forget(subject))


def _play(rest: str) -> Command:
    verb, more = (*rest.split(maxsplit=1), "", "")[:2]
    match verb.lower():
        case "start":
            game = folded(more)
            if not game:
                return _advice("which game? .play start chess")
            return _named(game, lambda: PlayStart(game))
        case "stop":
            return PlayStop()
        case "stats":
            return _named(more, lambda: PlayStats(more.strip() or None))
        case "top" | "leaderboard":
            return _top(more.lower().split())
    return _advice("say .play start GAME, .play stop, .play stats [USER] or .play top [K]")


def _top(words: list[str]) -> Command:
    count, by = DEFAULT_TOP, "time"
    for word in words:
        if word in {"time", "sessions"}:
            by = word
        elif word.isascii() and word.isdigit() and 1 <= int(word[:4]) <= MOST_TOP:
            count = int(word[:4])
        else:
            return _advice(f"the top how many? .play top [1 to {MOST_TOP}] [time|sessions]")
    return PlayTop(count, "sessions" if by == "sessions" else "time")


def _help(_: str) -> Command:
    return Advice(HELP)


def _named(name: str, command: Callable[[], Command]) -> Command:
    """The command, if the name in it can be one."""
    if len(name) > MAX_NAME:
        return _advice(f"that name has {len(name):,} characters, and I take {MAX_NAME}")
    if not is_text(name):
        return _advice("that name holds half a character, which I cannot write down")
    return command()


def is_text(text: str) -> bool:
    """Whether a text has bytes: without lone surrogates."""
    return not any("\ud800" <= each <= "\udfff" for each in text)


def _advice(line: str) -> Advice:
    return Advice((line[0].upper() + line[1:],))


_COMMANDS: dict[str, Callable[[str], Command]] = {
    "remember": _remember,
    "recall": _recall,
    "forget": _forget,
    "play": _play,
    "help": _help,
}
