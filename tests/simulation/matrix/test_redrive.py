"""Redriving, struck at each call."""

from __future__ import annotations

import os

import pytest

from tests.simulation.matrix.case import Case
from tests.simulation.matrix.cases_redrive import CASES
from tests.simulation.matrix.crossing import hold, on_stage, record


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_struck_anywhere_it_is_made_good(case: Case) -> None:
    with on_stage():
        runs, wrong = hold(record(case), every_part="BLOCKFOLD_SOAK" in os.environ)
    assert not wrong, f"{len(wrong)} of {runs} runs; the first:\n{wrong[0]}"
