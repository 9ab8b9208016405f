"""Each seeded defect is found: by the seed that is known to, or else by one of its neighbours."""

from __future__ import annotations

import pytest

from tests.simulation.defects import DEFECTS, Defect
from tests.simulation.environments import simulated
from tests.simulation.plan import Plan
from tests.simulation.run import run


@pytest.mark.parametrize("defect", DEFECTS, ids=[each.name for each in DEFECTS])
def test_a_defect_is_found(defect: Defect) -> None:
    with simulated():
        assert run(Plan.of(defect.seed)).violation is None, "the product itself is right"
        with defect.made():
            seeds = range(defect.seed, defect.seed + defect.within)
            assert any(run(Plan.of(seed)).violation is not None for seed in seeds)
        assert run(Plan.of(defect.seed)).violation is None, "the defect was undone"


def test_there_are_many_and_their_names_differ() -> None:
    assert len({each.name for each in DEFECTS}) == len(DEFECTS) >= 20
