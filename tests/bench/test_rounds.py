"""Everyone is run once in each round, and further rounds are only begun if there is time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench import compare, leaderboard
from bench.contenders import LEADERBOARD, Contender
from bench.server import Server


@pytest.mark.parametrize(
    ("rounds", "deadline", "made"),
    [(5, float("inf"), 5), (5, 0.0, compare.LEAST), (1, float("inf"), 1), (1, 0.0, 1)],
)
def test_rounds_are_interleaved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rounds: int, deadline: float, made: int
) -> None:
    ran: list[tuple[str, bool]] = []

    def run(contender: Contender, *_: object, counted: bool) -> dict[str, Any]:
        ran.append((contender.key, counted))
        return {"actions": 10, "seconds": 1.0, "counts": {}}

    monkeypatch.setattr(compare, "run", run)
    found = compare.measure(
        leaderboard.workload(10, 5), LEADERBOARD, Server("", ""), tmp_path, rounds, deadline
    )
    keys = [contender.key for contender in LEADERBOARD]
    assert ran[: len(keys)] == [(key, True) for key in keys], "counted first"
    timed = [key for key, counted in ran[len(keys) :] if not counted]
    each = [timed[at : at + len(keys)] for at in range(0, len(timed), len(keys))]
    assert len(each) == found["rounds"] == made
    assert all(Counter(round_) == Counter(keys) for round_ in each)
    assert len({round_[0] for round_ in each}) == made, "somebody else begins"
    assert all(len(row["runs"]) == made for row in found["rows"].values())
