"""The leaderboard: 10,000 actions over 1,000 players, ten each, in random order.

It is the workload of all figures that are compared with a target.
"""

from __future__ import annotations

from random import Random

from bench.workload import Step, Workload
from blockfold import Context, Machine, State, action

ACTIONS = 10_000
PLAYERS = 1_000
SEED = 8


class Leaderboard(Machine):
    """Points of players: one key ``player/<name>`` for each."""

    @action(keys="player/{player}")
    def score(self, state: State, _context: Context, player: str, points: int) -> None:
        """Give a player points."""
        entry = state.setdefault(f"player/{player}", {"points": 0, "games": 0})
        entry["points"] += points
        entry["games"] += 1


def workload(actions: int = ACTIONS, players: int = PLAYERS, seed: int = SEED) -> Workload:
    """The actions; each player has the same number of them, as far as they go."""
    random = Random(seed)  # noqa: S311 - the same workload each time
    order = [number % players for number in range(actions)]
    random.shuffle(order)
    return Workload(
        "leaderboard",
        "bench.leaderboard:Leaderboard",
        "player",
        "player/",
        tuple(
            Step(f"p{player:04}", "score", {"points": random.randrange(1, 100)}) for player in order
        ),
    )
