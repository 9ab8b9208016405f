"""The Python on the pages runs: the blocks of a page in order, as one module each."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from blockfold import Head, Machine, Message, execute
from blockfold.bootstrap import load_machine
from blockfold.domain.replay import EntriesSource
from tests.docs.pages import ROOT, snippets

PAGES = ("README.md", "docs/writing-machines.md")


@pytest.mark.parametrize("name", PAGES)
def test_the_python_of_a_page_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / name
    module = ModuleType("snippets")  # a module, so that type hints can be resolved
    monkeypatch.setitem(sys.modules, "snippets", module)
    found = list(snippets(page, "python"))
    assert found
    for snippet in found:
        padding = "\n" * (snippet.line - 1)  # so that errors name the page's own lines
        exec(compile(padding + snippet.text, str(page), "exec"), module.__dict__)


def test_the_readme_s_machine_can_be_deployed_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scores.py").write_text(next(snippets(ROOT / "README.md", "python")).text)
    monkeypatch.syspath_prepend(tmp_path)
    machine = load_machine("scores:Scores")
    assert issubclass(machine, Machine)
    body = '[{"type":"win","args":{"player":"ada","points":3}},{"type":"win","args":{"player":""}}]'
    sent = Message(id="m1", body=body, queue="q", sequence="1", sent=0, sender="someone")
    block = execute(machine(), Head(machine="chess"), EntriesSource({}), [sent])
    assert block.outcomes == {"applied": 1, "rejected": 0, "failed": 0, "malformed": 1}
    assert block.body.changes == {"player/ada": b'{"points":3,"wins":1}'}
