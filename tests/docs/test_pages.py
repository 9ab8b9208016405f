"""Links lead somewhere, and the public names are explained."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import blockfold
from tests.docs.pages import ROOT, markdown_files, prose

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)
ELSEWHERE = ("http://", "https://", "mailto:")
COLUMNS = 100


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    headings = (found["text"].lower() for found in HEADING.finditer(prose(page)))
    return {re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-") for text in headings}


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", markdown_files(), ids=page_id)
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for found in LINK.finditer(prose(page)):
        target = found["target"]
        if target.startswith(ELSEWHERE):
            continue
        path, _, fragment = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (fragment and fragment not in anchors(there)):
            broken.append(target)
    assert not broken


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = (page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md"))
    assert [page for page in pages if page != "index.md" and f"]({page}" not in index] == []


@pytest.mark.parametrize("name", blockfold.__all__)
def test_every_public_name_has_a_docstring_and_is_explained(name: str) -> None:
    found = getattr(blockfold, name)
    assert found.__doc__
    members = inspect.getmembers(found, inspect.isfunction) if inspect.isclass(found) else []
    bare = [each for each, member in members if not each.startswith("_") and not member.__doc__]
    assert bare == [], f"without a docstring: {bare}"
    pattern = re.compile(rf"\b{name}\b")
    assert any(pattern.search(page.read_text(encoding="utf-8")) for page in markdown_files())
