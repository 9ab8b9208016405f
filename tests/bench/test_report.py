"""Figures get from results to the page, and the page has all that was wanted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from bench import dollars, leaderboard, report, targets
from bench.contenders import LEADERBOARD, OTHERS, Contender


@pytest.fixture(autouse=True)
def _small_samples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    few = {name: partial(leaderboard.workload, 500, 50) for name in dollars.WORKLOADS}
    monkeypatch.setattr(dollars, "WORKLOADS", few)
    dollars.estimated.cache_clear()
    yield
    dollars.estimated.cache_clear()


def run(actions: int, seconds: float) -> dict[str, Any]:
    return {
        "actions": actions,
        "seconds": seconds,
        "cpu": seconds / 2,
        "p50": 1.0,
        "p99": 2.0,
        "memory": 102_400,
    }


def row(contender: Contender, rates: list[float]) -> dict[str, Any]:
    counts = {"requests": {"PutItem": 1_000}, "wru": 550.0, "rru": 100.0, "items": 1}
    return {
        "title": contender.title,
        "kind": contender.kind,
        "packed": contender.packed,
        "batch": contender.batch,
        "actions": 1_000,
        "counts": {**counts, "stored": 100_000, "objects": 5_000},
        "runs": [run(1_000, 1_000 / rate) for rate in rates],
    }


def results() -> dict[str, Any]:
    board = {each.key: row(each, [500.0, 400.0, 600.0]) for each in LEADERBOARD}
    board["ours-1"] = row(LEADERBOARD[0], [3_000.0, 3_200.0, 3_300.0])
    others = {each.key: row(each, [500.0]) for each in OTHERS}
    return {
        "date": "2026-11-22 22:00 UTC",
        "seconds": 500.0,
        "server": "ministack",
        "machine": {"system": "Linux", "processor": "one", "cores": 2, "python": "3.11.7"},
        "versions": {"castore": "2.4.2"},
        "workloads": {
            "leaderboard": {"actions": 10_000, "rounds": 3, "rows": board},
            "forest": {"actions": 10_000, "rounds": 1, "rows": others},
            "httpx": {"actions": 4_560, "rounds": 1, "rows": others},
        },
        "others": {
            "bench.domain": "1 actions a message, 10 a block: 23.4 µs of CPU an action",
            "bench.cold_start": "  floor      180 ms  1.00 x   60.0 MB  1.00 x\n"
            "  executor   240 ms  1.33 x   70.0 MB  1.17 x\n",
        },
        "asset": 12_000_000,
    }


def measured(name: str) -> targets.Measured | None:
    (target,) = (each for each in targets.TARGETS if each.what.startswith(name))
    return target.measure(results())


def test_ratios_are_taken_round_by_round() -> None:
    found = measured("One a message, with state: actions/s")
    assert found == targets.Measured(6.0, 5.5, 8.0)


def test_units_are_those_of_one_action() -> None:
    assert measured("One a message, with state: write units") == targets.Measured(0.55)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Domain", 23.4),
        ("Cold start: time", 1.33),
        ("Cold start: memory", 1.17),
        ("The functions' package", 12.0),
        ("All of this", 500 / 60),
    ],
)
def test_other_figures_are_found(name: str, value: float) -> None:
    found = measured(name)
    assert found is not None
    assert found.value == pytest.approx(value)


def test_what_was_not_measured_is_not_called_held() -> None:
    assert measured("End to end") is None
    line = next(line for line in report.page(results()).splitlines() if "End to end by" in line)
    assert "not measured" in line
    assert "held" not in line


def test_a_missed_target_says_so() -> None:
    lines = report.page(results()).splitlines()
    verdicts = {line.split("|")[1].strip(): line for line in lines if line.startswith("| 1")}
    assert (
        "**missed**"
        in verdicts["100 a message, with state: actions/s against castore's get + push"]
    )
    assert any("One a message, with state: actions" in line and " held " in line for line in lines)


def test_dollars_are_units_times_prices() -> None:
    found = results()["workloads"]["leaderboard"]["rows"]["castore-get"]
    assert dollars.dynamodb(found) == pytest.approx(0.55 * 0.625 + 0.1 * 0.125)
    path = dollars.whole("leaderboard", found)
    # A request for each message, one for ten that are received, and one that deletes them.
    assert path["SQS"] == pytest.approx(1.2 * 0.5)
    assert path["EventBridge"] == pytest.approx(1.0)
    assert path["DynamoDB"] == dollars.dynamodb(found)
    assert path["Lambda"] > 0.02


def test_the_page_of_the_last_run_names_every_target_and_everyone() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    for target in targets.TARGETS:
        assert f"| {target.what} | {target.wanted} |" in page
    for contender in (*LEADERBOARD, *OTHERS):
        assert f"| {contender.title} |" in page
    prose = report.TEMPLATE.read_text(encoding="utf-8").split("{{when}}")[0]
    assert page.startswith(prose), "made from the template as it is: python -m bench.compare --page"
