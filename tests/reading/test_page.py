"""The Python on the page about reading runs, against a stack in memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

import blockfold.client
from blockfold import Action
from blockfold.client import AsyncMachineReader, MachineReader
from machines.forest import Forest
from tests.docs.pages import ROOT, snippets
from tests.properties.histories import NEVER
from tests.records.samples import Player
from tests.snapshots.stack import HandClock, Stack
from tests.strategies import message


class MemoryStack:
    """What the page uses of a stack; actions are executed as soon as they are sent."""

    def __init__(self) -> None:
        self.stack = Stack()
        self.queue = self
        self.sent = 0

    def send(self, machine: str, body: str) -> None:
        self.sent += 1
        executor = self.stack.executor(machine=Forest())
        assert executor.fold(machine, [message(self.sent, [json.loads(body)])], deadline=NEVER).done

    @contextmanager
    def producer(self) -> Iterator[MemoryStack]:
        yield self

    def push_action(self, machine: str, action: Action) -> None:
        self.send(machine, json.dumps(action.to_json()))

    def machine(self, machine: str) -> MachineReader:
        return MachineReader(self.stack.reader(), machine, HandClock())

    def async_machine(self, machine: str) -> AsyncMachineReader:
        return AsyncMachineReader(self.machine(machine))


def test_the_page_s_python_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = MemoryStack()
    stack.send("grove", '{"type": "plant", "args": {"tree": "t1", "species": "oak"}}')
    stack.stack.machines.register("chess")
    monkeypatch.setattr(blockfold.client, "connect", lambda _: stack)
    module = ModuleType("reading_page")
    module.__dict__["Player"] = Player  # of the page about records
    monkeypatch.setitem(sys.modules, "reading_page", module)
    page = ROOT / "docs" / "reading.md"
    found = list(snippets(page, "python"))
    assert len(found) == 4
    for snippet in found:
        padding = "\n" * (snippet.line - 1)
        exec(compile(padding + snippet.text, str(page), "exec"), module.__dict__)
    assert "tree/t1 {" in capsys.readouterr().out
    outcome: Any = module.__dict__["found"]
    assert (outcome.type, outcome.number, outcome.applied) == ("water", 2, True)
    assert asyncio.run(module.__dict__["leaders"]()) == []
