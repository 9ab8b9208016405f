"""The commands that read the past, on a stack in memory."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from blockfold.application.export import Exporter
from blockfold.application.frames import Stepper
from blockfold.application.read import Reader
from blockfold.application.travel import Traveller
from blockfold.cli.app import app
from blockfold.domain.errors import (
    BlockfoldError,
    Corrupted,
    DefinitionError,
    Misconfigured,
    NotFound,
    Refused,
)
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack, drop, put

ROOT = Path(__file__).parents[2]
CELLS = "tests.machines_for_tests:Cells"


@dataclass
class Target:
    """What `connect` finds, as far as these commands look."""

    stack: Stack
    machine_class: str | None = CELLS
    root: Path | None = ROOT
    name: str = "Blockfold"

    @property
    def reader(self) -> Reader:
        return self.stack.reader()

    @property
    def traveller(self) -> Traveller:
        return Traveller(self.stack.log, self.stack.snapshots)

    @property
    def exporter(self) -> Exporter:
        return Exporter(self.traveller)

    @property
    def stepper(self) -> Stepper:
        return Stepper(self.traveller)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    """Four blocks and a restore of the second; a snapshot of it, therefore."""
    stack = Stack()
    stack.run(put("a", 1), put("b", [1, 2]))
    stack.run(put("a", 2))
    stack.run(drop("b"), put("c", None))
    stack.run(put("a", {"n": 1.5}))
    stack.restore(2)
    target = Target(stack)
    for command in ("state", "diff", "history", "frames", "export"):
        monkeypatch.setattr(f"blockfold.cli.{command}.connect", lambda name: target)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in ("travel_other", "travel_wrong"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return target


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def ok(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.stdout


def answer(*arguments: str) -> Any:
    return json.loads(ok(*arguments, "--json"))


# -- at --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("0", 0),
        ("3", 3),
        ("snapshot:2", 2),
        ("2023-11-14T22:13:20.004Z", 5),
        ("2023-11-14T22:13:20.003Z", 3),
        ("2023-11-14T23:13:20.002+01:00", 2),
    ],
)
def test_state_and_export_at(target: Target, at: str, number: int) -> None:
    view = answer("state", MACHINE, "--at", at)
    assert (view["number"], view["entries"]) == (number, target.stack.state_at(number))
    lines = map(json.loads, ok("export", MACHINE, "--at", at).splitlines())
    assert {each["key"]: each["value"] for each in lines} == view["entries"]


def test_one_key_and_a_prefix_of_the_past(target: Target) -> None:
    assert ok("state", MACHINE, "a", "--at", "1") == "1\n"
    assert answer("state", MACHINE, "--prefix", "b", "--at", "2")["entries"] == {"b": [1, 2]}
    assert isinstance(run("state", MACHINE, "c", "--at", "2").exception, NotFound)


def test_diff_takes_points_and_names_blocks(target: Target) -> None:
    wanted = {"added": {"c": None}, "removed": {"b": [1, 2]}, "changed": {}}
    assert answer("diff", MACHINE, "snapshot:2", "3") == wanted
    assert answer("diff", MACHINE, "2023-11-14T22:13:20.002Z", "3") == wanted
    assert answer("diff", MACHINE, "2", "5") == {"added": {}, "removed": {}, "changed": {}}
    assert "from block 2 to 3" in run("diff", MACHINE, "snapshot:2", "3").stderr


@pytest.mark.parametrize(
    "arguments",
    [("state", MACHINE, "--at"), ("export", MACHINE, "--at"), ("diff", MACHINE, "1")],
)
@pytest.mark.parametrize(
    ("at", "error", "words"),
    [
        ("yesterday", Misconfigured, "snapshot:12"),
        ("6", NotFound, "0 to 5"),
        ("snapshot:3", NotFound, "no snapshot of block 3"),
        ("2001-01-01T00:00:00Z", NotFound, "no blocks at that time"),
    ],
)
def test_points_that_cannot_be(
    target: Target, arguments: tuple[str, ...], at: str, error: type[BlockfoldError], words: str
) -> None:
    found = run(*arguments, at).exception
    assert isinstance(found, error)
    assert words in str(found)


# -- history ---------------------------------------------------------------------------------------


def test_history(target: Target) -> None:
    found = answer("history", MACHINE, "b")
    assert [each["number"] for each in found] == [1, 3, 5]
    first, second, third = found
    assert (first["value"], first["time"]) == ([1, 2], "2023-11-14T22:13:20.001Z")
    assert first["action"]["type"] == "run"
    assert first["action"]["id"] == "message-1/0"
    assert (second["deleted"], second["applied"]) == (True, 1)
    assert "value" not in second
    assert (third["value"], third["action"], third["applied"]) == ([1, 2], None, 0)
    assert (third["origin"]["kind"], third["origin"]["number"]) == ("restore", 2)
    assert [each["number"] for each in answer("history", MACHINE, "b", "--from", "2")] == [3, 5]
    assert [each["number"] for each in answer("history", MACHINE, "b", "--to", "2")] == [1]
    shown = ok("history", MACHINE, "b")
    assert "deleted" in shown
    assert "restore of m 2" in shown
    assert "0 changes of key 'z'" in run("history", MACHINE, "z").stderr


# -- frames ----------------------------------------------------------------------------------------


def test_frames(target: Target) -> None:
    found = answer("frames", MACHINE, "3", "--state")
    assert (found["agrees"], found["differences"]) == (True, [])
    assert found["digest"] == found["recorded"]["digest"]
    (frame,) = found["frames"]
    assert frame["changes"] == [{"key": "b", "deleted": True}, {"key": "c", "value": None}]
    assert frame["state"] == target.stack.state_at(3)
    assert (frame["outcome"], frame["recorded"]["outcome"]) == ("applied", "applied")
    assert "deleted" in ok("frames", MACHINE, "3")
    assert "came out as recorded" in run("frames", MACHINE, "3").stderr
    assert "executes nothing" in run("frames", MACHINE, "5").stderr
    assert '"n":1.5' in ok("frames", MACHINE, "4", "--state")


OTHER = """
from blockfold import Machine, action
from tests.machines_for_tests import Cells, Step

class Other(Cells):
    @action
    def run(self, state, context, steps: list[Step], end: str = "apply") -> None:
        super().run(state, context, steps)
        state["extra"] = True

class Broken(Machine):
    @action
    def run(self, state, context, steps) -> None: ...

NotOne = 1
"""


def test_frames_of_other_code_exit_1_and_say_what_differs(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "travel_other.py").write_text(OTHER)
    monkeypatch.chdir(tmp_path)
    result = run("frames", MACHINE, "2", "--machine", "travel_other.py:Other", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["agrees"] is False
    assert "key 'extra' is true now" in found["differences"][0]
    shown = run("frames", MACHINE, "2", "--machine", "travel_other:Other")
    assert shown.exit_code == 1
    assert "Other/1 gives something else" in shown.stderr
    assert "action 1 (run) wrote it last" in shown.stderr


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("nowhere.py:Thing", Misconfigured, "no file"),
        ("no.such.module:Thing", Misconfigured, "cannot be loaded"),
        ("Thing", Misconfigured, "module:Class"),
        ("travel_wrong.py:Nothing", Misconfigured, "Nothing"),
        ("travel_wrong.py:NotOne", Misconfigured, "no subclass"),
        ("travel_wrong.py:Broken", DefinitionError, "no type hint"),
        ("travel_raises.py:Thing", Misconfigured, "ZeroDivisionError"),
        ("travel_syntax.py:Thing", Misconfigured, "SyntaxError"),
        ("json.py:Thing", Misconfigured, "rename the file"),
    ],
)
def test_code_that_cannot_be_loaded(
    target: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spec: str,
    error: type[BlockfoldError],
    words: str,
) -> None:
    (tmp_path / "travel_wrong.py").write_text(OTHER)
    (tmp_path / "travel_raises.py").write_text("1 / 0\n")
    (tmp_path / "travel_syntax.py").write_text("class\n")
    (tmp_path / "json.py").write_text("class Thing: ...\n")
    monkeypatch.chdir(tmp_path)
    found = run("frames", MACHINE, "2", "--machine", spec).exception
    assert isinstance(found, error)
    assert words in str(found)


def test_the_class_comes_from_the_local_stack_or_must_be_named(
    target: Target, tmp_path: Path
) -> None:
    target.root = None
    found = run("frames", MACHINE, "2").exception
    assert isinstance(found, Misconfigured)
    assert "--machine" in found.hint
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"machine": CELLS}}))
    target.machine_class, target.root = None, tmp_path
    assert answer("frames", MACHINE, "2")["agrees"]
    (tmp_path / "cdk.json").unlink()
    assert isinstance(run("frames", MACHINE, "2").exception, Misconfigured)


# -- export ----------------------------------------------------------------------------------------


def test_export_to_files(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "state"
    for format_ in ("jsonl", "dynamodb-json", "parquet"):
        result = run("export", MACHINE, "--format", format_, "--output", str(path), "--force")
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"wrote 2 keys of m at block 5 to {path}" in result.stderr.replace("\n", "")
    rows = parquet.read_table(path).to_pylist()
    assert rows == [{"key": "a", "value": "2"}, {"key": "b", "value": "[1,2]"}]
    refused = run("export", MACHINE, "--output", str(path)).exception
    assert isinstance(refused, Refused)
    assert list(tmp_path.iterdir()) == [path]


def test_export_to_stdout(target: Target) -> None:
    shown = ok("export", MACHINE, "--format", "dynamodb-json", "--at", "1")
    assert [json.loads(line)["Item"] for line in shown.splitlines()] == [
        {"machine": {"S": "m"}, "key": {"S": "a"}, "value": {"N": "1"}, "block": {"N": "1"}},
        {
            "machine": {"S": "m"},
            "key": {"S": "b"},
            "value": {"L": [{"N": "1"}, {"N": "2"}]},
            "block": {"N": "1"},
        },
    ]
    binary = run("export", MACHINE, "--format", "parquet").stdout_bytes
    assert parquet.read_table(BytesIO(binary)).num_rows == 2


def test_a_damaged_state_leaves_no_file(target: Target, tmp_path: Path) -> None:
    stack = target.stack
    for key in [each.key for each in stack.objects.list("machines/m/runs/")]:
        stack.objects._objects[key] = b"damaged"
    result = run("export", MACHINE, "--output", str(tmp_path / "state"))
    assert isinstance(result.exception, Corrupted)
    assert list(tmp_path.iterdir()) == []
