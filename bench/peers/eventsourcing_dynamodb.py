"""eventsourcing with eventsourcing-dynamodb, in an environment of its own.

``python -m bench.peers.eventsourcing_dynamodb <configuration>``, see `bench.stopwatch`. As its
documentation says: an application with a repository, the persistence module and the cache set by
environment variables. ``how`` is ``get_save``, or ``cached``: aggregates are kept in memory and not
looked up again (``AGGREGATE_CACHE_MAXSIZE``, ``AGGREGATE_CACHE_FASTFORWARD``).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import (  # type: ignore[import-not-found]
    AggregateNotFoundError,
    Application,
)
from eventsourcing.domain import Aggregate, event  # type: ignore[import-not-found]

from bench.peers.trace import trace
from bench.stopwatch import Stopwatch, configuration, report


class Player(Aggregate):  # type: ignore[misc]
    """A player of the leaderboard; the first score is the event that begins it."""

    @event("Began")  # type: ignore[untyped-decorator]
    def __init__(self, name: str, points: int) -> None:
        self.name = name
        self.points = points
        self.games = 1

    @staticmethod
    def create_id(name: str, **_: object) -> UUID:
        """The aggregate's id."""
        return uuid5(NAMESPACE_URL, f"/players/{name}")

    @event("Scored")  # type: ignore[untyped-decorator]
    def score(self, points: int) -> None:
        """Give the player points."""
        self.points += points
        self.games += 1


class Leaderboard(Application):  # type: ignore[misc]
    """The players."""

    def score(self, name: str, points: int) -> None:
        """Give a player points."""
        try:
            player = self.repository.get(Player.create_id(name))
        except AggregateNotFoundError:
            player = Player(name, points)
        else:
            player.score(points)
        self.save(player)


def main() -> None:
    """Run as configured, and print what was measured."""
    asked = configuration()
    os.environ["PERSISTENCE_MODULE"] = "eventsourcing_dynamodb"
    os.environ["DYNAMO_ENDPOINT_URL"] = asked["endpoint"]
    os.environ["DYNAMO_TABLE"] = asked["table"]
    steps = [
        (entity, args["points"]) for entity, _, args in json.loads(Path(asked["steps"]).read_text())
    ]
    if asked["how"] == "cached":
        os.environ["AGGREGATE_CACHE_MAXSIZE"] = str(len(steps))
        os.environ["AGGREGATE_CACHE_FASTFORWARD"] = "no"
    board = Leaderboard()
    assert Player.create_id("nobody") not in board.repository  # a connection is open now
    if asked["trace"]:
        trace(board.factory.dynamo_resource.meta.client, asked["trace"])
    watch = Stopwatch()
    with watch.running():
        for name, points in steps:
            with watch.commit():
                board.score(name, points)
    last, _ = steps[-1]
    wanted = sum(points for name, points in steps if name == last)
    found = Leaderboard().repository.get(Player.create_id(last))
    assert found.points == wanted, "nothing was lost"
    report(watch.result(len(steps)))


if __name__ == "__main__":
    main()
