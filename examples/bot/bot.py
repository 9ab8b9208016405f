"""The bot: a line that somebody says → what to answer.

A reply that something was done is given only after its action stands in a block, so it is true
whatever happens afterwards. What happens if the bot dies

- before the action is in the queue: nothing; nobody was answered;
- after that: the action is carried out, but nobody hears of it. Asking shows it;
- after the answer: nothing is lost, for the bot itself keeps nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice

from blockfold.domain.errors import BlockfoldError
from examples.bot.chat import Said, printable
from examples.bot.commands import (
    Advice,
    Command,
    Forget,
    PlayStart,
    PlayStats,
    PlayStop,
    PlayTop,
    Recall,
    Remember,
    is_text,
    parse,
    shown,
)
from examples.bot.memory import Memory
from machines.remember import MAX_NAME, Played, Player, Playing
from machines.remember import Memory as Kept

LISTED = 20
"""Subjects or games in one answer."""

_log = logging.getLogger(__name__)


class Bot:
    """Answers people.

    Args:
        memory: Where it remembers.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def answer(self, said: Said) -> Sequence[str]:
        """What to say to a line: nothing, or lines without control characters. Never raises."""
        command = parse(said.text)
        if command is None or (isinstance(command, Advice) and not (command.known or said.private)):
            return ()
        if not 1 <= len(said.user) <= MAX_NAME or not is_text(said.user):
            return (f"I serve people whose names have 1 to {MAX_NAME} characters",)
        try:
            lines = self._do(said, command)
        except BlockfoldError as error:
            _log.warning("%s: %s", said.server, error)
            lines = _trouble(command)
        return [_harmless(line) for line in lines]

    def _do(self, said: Said, command: Command) -> Sequence[str]:
        match command:
            case Advice(lines=lines):
                return lines
            case Remember(subject=subject, text=text):
                done = f"Remembered: {subject} is {text}"
                return self._tell(said, done, "remember", subject=subject, text=text)
            case Forget(subject=subject):
                return self._tell(said, f"Forgotten: {subject}", "forget", subject=subject)
            case PlayStart(game=game):
                done = f"{said.user} plays {game}. Say .play stop when you are done"
                return self._tell(said, done, "start_play", game=game)
            case PlayStop():
                return self._tell(said, lambda: self._stopped(said), "stop_play")
            case Recall(subject=None):
                return self._subjects(said)
            case Recall(subject=str(subject)):
                return self._recalled(said, subject)
            case PlayStats(user=user):
                return self._stats(said, said.user if user is None else said.same(user))
            case PlayTop():
                return self._top(said, command)
        raise AssertionError(command)

    def _tell(
        self, said: Said, done: str | Callable[[], Sequence[str]], type_: str, **args: object
    ) -> Sequence[str]:
        told = self._memory.tell(said.server, type_, user=said.user, **args)
        if told.outcome == "applied":
            return (done,) if isinstance(done, str) else done()
        if told.outcome == "rejected":
            return (f"No: {told.reason}",)
        _log.error("%s: %s ended as %s: %s", said.server, type_, told.outcome, told.reason)
        return (f"That did not work: {told.reason}",)

    def _recalled(self, said: Said, subject: str) -> Sequence[str]:
        found = Kept.of(self._memory.state(said.server)).get(subject)
        if found is None:
            return (f"I remember nothing about {subject}",)
        return (f"I remember: {subject} is {found.text} (said by {found.by}, {_when(found.at)})",)

    def _subjects(self, said: Said) -> Sequence[str]:
        page = Kept.of(self._memory.state(said.server)).scan(limit=LISTED)
        if not page.items:
            return ("I remember nothing yet. Say .remember meeting is tomorrow",)
        more = " · and more" if page.next is not None else ""
        return ("I remember: " + " · ".join(each.subject for each in page.items) + more,)

    def _stopped(self, said: Said) -> Sequence[str]:
        player = Player.of(self._memory.state(said.server)).get(said.user) or Player(user=said.user)
        return (f"Stopped. {said.user} played {_much(player)} in all",)

    def _stats(self, said: Said, user: str) -> Sequence[str]:
        state = self._memory.state(said.server)
        lines = []
        if (player := Player.of(state).get(user)) is not None:
            games = Played.of(state).scan(user, limit=LISTED)
            each = " · ".join(f"{game.game}: {_much(game)}" for game in games.items)
            more = " · and more" if games.next is not None else ""
            lines.append(f"{user} played {_much(player)} in all. {each}{more}")
        if (running := Playing.of(state).get(user)) is not None:
            lines.append(f"{user} plays {running.game} since {_when(running.since)}")
        return lines or (f"{shown(user)} has not played yet",)

    def _top(self, said: Said, asked: PlayTop) -> Sequence[str]:
        best = Player.of(self._memory.state(said.server)).top(asked.by, asked.count)
        if not best:
            return ("Nobody has finished a game yet",)
        ranks = (f"{place}. {each.user} {_much(each)}" for place, each in enumerate(best, 1))
        return (f"Top by {asked.by}: " + " · ".join(ranks),)


def _harmless(line: str) -> str:
    """A line that no terminal and no other bot takes for a command."""
    line = printable(line)
    return f"“{line}”" if line.lstrip().startswith(".") else line


def _trouble(command: Command) -> Sequence[str]:
    if isinstance(command, Recall | PlayStats | PlayTop):
        return ("I cannot read my memory now. Ask again in a while",)
    return ("I cannot tell whether I got that: my memory does not answer. Ask before repeating it",)


def _much(played: Player | Played) -> str:
    times = "1 time" if played.sessions == 1 else f"{played.sessions:,} times"
    return f"{duration(played.milliseconds)} ({times})"


def duration(milliseconds: int) -> str:
    """Time in its two largest units, rounded down: ``3 h 20 min``."""
    seconds = milliseconds // 1000
    parts = (
        (seconds // 86_400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    )
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count:,} {unit}" for count, unit in islice(parts, first, first + 2))


def _when(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
