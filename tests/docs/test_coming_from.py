"""Every row of the page on migration names a test that exists, and every test has a row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "coming-from.md").read_text()
SECTIONS = PAGE.split("\n## ")[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=[each.splitlines()[0] for each in SECTIONS])
def test_rows_and_tests_belong_together(section: str) -> None:
    file = re.search(r"\(\.\./(tests/coming_from/\w+\.py)\)", section)
    assert file is not None
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    named = [re.fullmatch(r"\|.*\|.*\| `(test_\w+)` \|", row) for row in rows]
    assert all(named), "a row without a test"
    tree = ast.parse((ROOT / file[1]).read_text())
    there = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert {match[1] for match in named if match} == there
