"""What the page says of a machine as a plain object is what happens."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, snippets

PAGE = ROOT / "docs" / "plain-object.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parser, names = doctest.DocTestParser(), {"__name__": "page"}
    runner = doctest.DocTestRunner()
    told: list[str] = []
    for snippet in snippets(PAGE, "python"):
        examples = parser.get_doctest(snippet.text, names, PAGE.name, str(PAGE), snippet.line)
        assert examples.examples
        runner.run(examples, out=told.append, clear_globs=False)
        names = examples.globs
    assert not told, "".join(told)
    assert runner.tries > 40
