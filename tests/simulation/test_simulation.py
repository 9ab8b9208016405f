"""The simulation itself: runs are repeatable, stories readable, failing runs become small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main, told
from tests.simulation.defects import DEFECTS
from tests.simulation.environments import simulated
from tests.simulation.plan import FAULTS, MOVES, PRODUCER_MOVES, Plan
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.run import Ran, run
from tests.simulation.shrink import is_like, shrink

ROOT = Path(__file__).parents[2]


def ran(seed: int) -> Ran:
    with simulated():
        return run(Plan.of(seed))


def test_a_seed_gives_the_same_run_again() -> None:
    for seed in range(4):
        assert ran(seed).story.words() == ran(seed).story.words()


def test_a_seed_gives_the_same_run_in_another_process() -> None:
    code = (
        "from tests.simulation.test_simulation import ran\n"
        "print(*[ran(seed).story.digest() for seed in range(4)])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == [ran(seed).story.digest() for seed in range(4)]


def test_seeds_differ_in_faults_and_moves() -> None:
    plans = [Plan.of(seed) for seed in range(300)]
    for name in FAULTS:
        share = sum(name in plan.faults for plan in plans) / len(plans)
        assert 0.1 < share < 0.9, name
    for name in (*MOVES, *PRODUCER_MOVES):
        assert sum(name in plan.moves for plan in plans) > len(plans) / 10, name


def test_a_plan_is_written_and_read() -> None:
    plan = Plan.of(1)
    assert Plan.from_json(plan.to_json()) == plan


def test_a_failing_run_becomes_small_and_can_be_replayed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    defect = next(each for each in DEFECTS if each.name == "a cold executor skips the marks")
    with defect.made():
        with simulated():
            whole = run(Plan.of(defect.seed))
            small = shrink(whole, seconds=20)
        assert whole.violation is not None
        assert is_like(small, whole)
        assert len(small.story.lines) < len(whole.story.lines) / 2
        assert main(["--plan", small.plan.to_json()]) == 1
    printed = capsys.readouterr().out
    assert printed.rstrip() == "\n".join(told(small))
    assert "VIOLATION of law 1" in printed
    assert "executor#1" in printed
    assert main(["--plan", small.plan.to_json()]) == 0, "without the defect, all is well"


def test_many_seeds_end_with_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3", "--from", "2", "--jobs", "1"]) == 0
    *_, totals, last = capsys.readouterr().out.splitlines()
    assert totals.startswith("runs 3, calls ")
    assert last == "violations: 0"


def test_many_seeds_with_a_violation_fail(capsys: pytest.CaptureFixture[str]) -> None:
    defect = next(each for each in DEFECTS if each.name == "archived is raised unseen")
    with defect.made():
        arguments = ["--seeds", "1", "--from", str(defect.seed), "--jobs", "1", "--whole"]
        assert main(arguments) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "violations: 1"


@pytest.mark.parametrize("plan", REGRESSIONS.values(), ids=REGRESSIONS)
def test_what_was_found_stays_right(plan: str) -> None:
    with simulated():
        again = run(Plan.from_json(plan))
    assert again.violation is None, "\n".join(told(again))
