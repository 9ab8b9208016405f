"""What fuzzing found, each with one line on what it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from blockfold.cli.app import app
from blockfold.cli.push import _lines
from blockfold.domain.errors import Misconfigured
from tests.machines_for_tests import Journal
from tests.properties.histories import MACHINE, Ports
from tests.strategies import SENT, message


def test_sent_times_that_go_back_by_minutes_repeat_nothing() -> None:
    """The first message looked like one of a new queue, for ever: blocks without end."""
    note = [{"type": "note", "args": {"text": "x"}}]
    messages = [message(1, note), replace(message(2, note), sent=SENT - 120_000)]
    ports = Ports()
    executor = ports.executor(Journal())
    executor.fold(MACHINE, messages, deadline=100.0)
    folded = executor.fold(MACHINE, messages, deadline=10_000.0)
    assert folded.repeated == 2
    assert sum(len(block.body.messages) for block in ports.blocks()) == 2


def test_lines_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    """On stdin they ended in a traceback."""
    (tmp_path / "lines").write_bytes(b"\xff")
    for file in ("-", str(tmp_path / "lines")):
        done = CliRunner().invoke(app, ["push", "m", file], input=b"\xff\xfe")
        assert isinstance(done.exception, Misconfigured)
        assert "cannot read" in done.exception.message


def test_an_action_may_hold_any_end_of_line(tmp_path: Path) -> None:
    """A line of a file of actions was cut at U+2028, U+0085 and their like."""
    ends = "\u2028\u2029\x85"
    actions = [{"type": "note", "args": {"text": f"a{end}b"}} for end in ends]
    lines = tmp_path / "lines"
    lines.write_text("\r\n".join(json.dumps(each, ensure_ascii=False) for each in actions))
    assert [json.loads(each) for each in _lines(str(lines))] == actions
