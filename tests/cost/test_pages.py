"""The page on costs says what the command says."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from blockfold.cli.app import app
from tests.docs.pages import ROOT

ROW = re.compile(
    r"^\| `(?P<options>--[^`]+)` \| \$(?P<month>[\d,.]+) \| \$(?P<million>[\d.]+) \|$", re.MULTILINE
)
PAGE = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
ROWS = [(found["options"], found["month"], found["million"]) for found in ROW.finditer(PAGE)]


def test_the_page_has_rows() -> None:
    assert len(ROWS) >= 3


@pytest.mark.parametrize(("options", "month", "million"), ROWS)
def test_a_month(options: str, month: str, million: str) -> None:
    result = CliRunner().invoke(app, ["cost", *options.split(), "--json"])
    answer = json.loads(result.stdout)
    assert float(month.replace(",", "")) == pytest.approx(answer["dollars"], rel=0.03)
    assert float(million) == pytest.approx(answer["per_million_actions"], rel=0.03)
