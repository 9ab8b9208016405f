"""The workload that estimates take if nobody names another: points for players, in random order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from blockfold.domain.context import Context
from blockfold.domain.machine import Machine, action
from blockfold.domain.state import State


class Leaderboard(Machine):
    """Points of players; a state entry is some 50 bytes."""

    @action(keys="player/{player}")
    def score(self, state: State, _context: Context, player: str, points: int) -> None:
        """Give a player points."""
        entry: Any = state.get(f"player/{player}") or {"points": 0, "games": 0}
        entry["points"] += points
        entry["games"] += 1
        state[f"player/{player}"] = entry


def scores(players: int = 1_000, seed: int = 1) -> Iterator[str]:
    """Actions of a `Leaderboard` without end, each as JSON.

    Args:
        players: From how many players each is drawn.
        seed: The same seed gives the same actions.
    """
    random = Random(seed)  # noqa: S311 - a workload
    while True:
        args = {"player": f"p{random.randrange(players):06}", "points": random.randrange(100)}
        yield json.dumps({"type": "score", "args": args}, separators=(",", ":"))
