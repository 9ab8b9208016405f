"""What a chat bot remembers of one server: subjects with texts, and who played what how long.

Who says something comes as the argument ``user``. The queue authenticates only the bot
(``context.sender``), so nothing here can know whether the chat told the truth about its people.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from blockfold import Context, Machine, Reject, State, action
from blockfold.records import Descending, Record

MAX_NAME = 100
MAX_TEXT = 2_000

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class Memory(Record, name="memory", key=("subject",)):
    """A text that was to be remembered.

    Attributes:
        subject: Of what.
        text: What.
        by: Who said it.
        at: When, milliseconds since 1970 UTC.
    """

    subject: str
    text: str
    by: str
    at: int


class Playing(Record, name="playing", key=("user",)):
    """A play that runs.

    Attributes:
        user: Who plays.
        game: What.
        since: From when, milliseconds since 1970 UTC.
    """

    user: str
    game: str
    since: int


class Played(Record, name="played", key=("user", "game")):
    """What somebody played of one game, without a play that runs.

    Attributes:
        user: Who.
        game: What.
        milliseconds: How long, in all.
        sessions: How often.
    """

    user: str
    game: str
    milliseconds: int = 0
    sessions: int = 0


class Player(
    Record,
    name="player",
    key=("user",),
    indexes={"time": Descending("milliseconds"), "sessions": Descending("sessions")},
):
    """What somebody played of all games; the leaderboards are its indexes.

    Attributes:
        user: Who.
        milliseconds: How long, in all.
        sessions: How often.
    """

    user: str
    milliseconds: int = 0
    sessions: int = 0


class Remember(Machine):
    """The memory of one chat server."""

    @action
    def remember(
        self, state: State, context: Context, subject: Name, text: Text, user: Name
    ) -> None:
        """Keep a text under a subject, in place of what stood there."""
        Memory.of(state).put(Memory(subject=subject, text=text, by=user, at=context.milliseconds))

    @action
    def forget(self, state: State, context: Context, subject: Name, user: Name) -> None:
        """Drop what is kept under a subject."""
        if not Memory.of(state).delete(subject):
            raise Reject(f"I remember nothing about {subject}")

    @action
    def start_play(self, state: State, context: Context, game: Name, user: Name) -> None:
        """Begin to play; somebody plays one game at a time, any number may play the same."""
        playing = Playing.of(state)
        if (running := playing.get(user)) is not None:
            raise Reject(f"{user} plays {running.game} already")
        playing.put(Playing(user=user, game=game, since=context.milliseconds))

    @action
    def stop_play(self, state: State, context: Context, user: Name) -> None:
        """End the play that runs, and count it."""
        playing = Playing.of(state)
        if (running := playing.get(user)) is None:
            raise Reject(f"{user} plays nothing")
        playing.delete(user)
        lasted = context.milliseconds - running.since
        played = Played.of(state)
        game = played.get(user, running.game) or Played(user=user, game=running.game)
        played.put(
            Played(
                user=user,
                game=running.game,
                milliseconds=game.milliseconds + lasted,
                sessions=game.sessions + 1,
            )
        )
        players = Player.of(state)
        player = players.get(user) or Player(user=user)
        players.put(
            Player(
                user=user,
                milliseconds=player.milliseconds + lasted,
                sessions=player.sessions + 1,
            )
        )
