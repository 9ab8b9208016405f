"""The Python on the page about records runs, and what it says of keys is so."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from blockfold import Head, Message, execute
from blockfold.domain.replay import EntriesSource
from tests.docs.pages import ROOT, snippets


def test_the_page_s_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "records.md"
    module = ModuleType("records_page")
    monkeypatch.setitem(sys.modules, "records_page", module)
    found = list(snippets(page, "python"))
    assert len(found) == 2
    for snippet in found:
        padding = "\n" * (snippet.line - 1)
        exec(compile(padding + snippet.text, str(page), "exec"), module.__dict__)
    body = '[{"type":"win","args":{"server":"s","user":"ada","points":3}}]'
    sent = Message(id="m", body=body, sequence="1")
    block = execute(module.__dict__["Arcade"](), Head(machine="m"), EntriesSource({}), [sent])
    assert block.body.changes == {
        "player#s#ada": b'{"points":3}',
        "player.top#s#Z6#ada": b"true",
    }
