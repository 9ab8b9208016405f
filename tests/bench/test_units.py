"""The targets that do not depend on the machine: write units per action, of our own requests."""

from __future__ import annotations

import pytest

from bench import leaderboard
from tests.bench.simulated import counted


@pytest.mark.parametrize(
    ("how", "packed", "actions", "wanted"),
    [("state", 1, 10_000, 0.65), ("log", 1, 2_000, 0.2), ("state", 100, 10_000, 0.2)],
)
def test_write_units_of_an_action_of_the_leaderboard(
    how: str, packed: int, actions: int, wanted: float
) -> None:
    counts = counted(leaderboard.workload(actions), how, packed)
    assert counts.wru <= wanted * actions
    blocks = counts.requests["PutItem"]
    assert blocks < 0.12 * actions
    if how == "state":
        state = counts.wru - blocks
        assert state >= leaderboard.PLAYERS, "each player's row was written"
        assert counts.items == blocks + leaderboard.PLAYERS + 1
    else:
        assert counts.items == blocks + 1
        assert not counts.requests["BatchExecuteStatement"]
