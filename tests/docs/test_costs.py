"""The README's prices are those that the code leads to."""

from __future__ import annotations

import re

import pytest

from tests.docs.costs import measure
from tests.docs.pages import ROOT


def test_the_readme_s_prices() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    stated = re.search(
        r"\$(?P<log>[0-9.]+) per million actions for the log and "
        r"\$(?P<state>[0-9.]+) for the state",
        readme,
    )
    assert stated is not None
    cost = measure()
    assert float(stated["log"]) == pytest.approx(cost.log, rel=0.05)
    assert float(stated["state"]) == pytest.approx(cost.state, rel=0.05)
