"""What the command line does while a restore is under way, and when it is stopped."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import click
import pytest
import typer

from blockfold.adapters.workflows import Execution, Workflows
from blockfold.application.progress import Progress
from blockfold.cli import restoring
from blockfold.cli.restoring import INTERRUPTED, Follower
from blockfold.domain.errors import Refused, Unavailable

ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:restores"


class Cloud:
    """Step Functions and the restore function, as far as a follower uses them."""

    def __init__(self, answer: dict[str, Any], statuses: list[dict[str, Any]]) -> None:
        self.answer = answer
        self.statuses = statuses
        self.running: list[dict[str, Any]] = []
        self.started: list[dict[str, Any]] = []
        self.called: list[dict[str, Any]] = []
        self.outputs = {"RestoreWorkflowArn": ARN}
        self.clients = SimpleNamespace(stepfunctions=self)
        self.adapters: Any = None

    def call(self, output: str, payload: dict[str, Any]) -> dict[str, Any]:
        assert output == "RestoreFunctionName"
        self.called.append(payload)
        if "error" in self.answer:
            raise Refused(self.answer["error"])
        return self.answer

    def list_executions(self, **named: str) -> dict[str, Any]:
        assert named == {"stateMachineArn": ARN, "statusFilter": "RUNNING"}
        return {"executions": self.running}

    def start_execution(self, **named: str) -> dict[str, Any]:
        self.started.append(named)
        self.running.append({"name": named["name"], "executionArn": named["name"]})
        return {"executionArn": named["name"]}

    def describe_execution(self, **named: str) -> dict[str, Any]:
        return self.statuses.pop(0)


RUNNING, SUCCEEDED = {"status": "RUNNING"}, {"status": "SUCCEEDED"}
BEGUN = {"machine": "m", "number": 8, "rows": 100, "done": False, "written": 5, "deleted": 0}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.0, 0.25, 0.25, 0.5])
    reader = SimpleNamespace(progress=lambda machine: Progress(machine, 8, 100, next(shares)))
    monkeypatch.setattr(restoring, "restorer", lambda adapters: reader)
    monkeypatch.setattr(restoring.time, "sleep", lambda seconds: None)


def follower(cloud: Any, *, json: bool = False) -> Follower:
    return Follower(cloud, "m", json=json)


def test_what_one_call_does_starts_no_workflow() -> None:
    cloud = Cloud({**BEGUN, "done": True}, [])
    assert follower(cloud).carry_out({"machine": "m", "block": 3})["written"] == 5
    assert cloud.called == [{"machine": "m", "block": 3, "begin_large": True}]
    assert cloud.started == []


def test_what_a_call_leaves_the_workflow_does() -> None:
    cloud = Cloud(BEGUN, [RUNNING, RUNNING, SUCCEEDED])
    answer = follower(cloud).carry_out({"machine": "m", "block": 3})
    assert (answer["done"], answer["written"], answer["rows"]) == (True, None, 100)
    (started,) = cloud.started
    assert (started["stateMachineArn"], started["input"]) == (ARN, '{"machine":"m"}')
    assert len(started["name"]) <= 80


def test_progress_lines_say_each_share_once(capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud(BEGUN, [RUNNING, RUNNING, RUNNING, SUCCEEDED])
    follower(cloud, json=True).go_on()
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.err.splitlines()]
    assert [line["share"] for line in lines] == [0.0, 0.25]
    assert {(line["machine"], line["number"]) for line in lines} == {("m", 8)}
    assert captured.out == ""


def test_an_execution_that_runs_already_is_joined() -> None:
    cloud = Cloud(BEGUN, [SUCCEEDED, SUCCEEDED])
    cloud.running = [{"name": "another-machines", "executionArn": "x"}]
    for _ in range(2):
        follower(cloud).go_on()
    assert len(cloud.started) == 1


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_workflow_that_fails_says_why_and_how_to_go_on(status: str) -> None:
    cloud = Cloud(BEGUN, [RUNNING, {"status": status, "error": "Corrupted", "cause": "the run"}])
    with pytest.raises(Unavailable, match=r"half-way: .*Corrupted the run") as caught:
        follower(cloud).go_on()
    assert caught.value.hint == "go on with: blockfold restore --resume m"


def test_a_refused_call_is_an_error_and_starts_nothing() -> None:
    cloud = Cloud({"error": "machine 'm' exists already"}, [])
    with pytest.raises(Refused, match="exists already"):
        follower(cloud).carry_out({"machine": "m"})
    assert cloud.started == []


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring.time, "sleep", interrupt)
    cloud = Cloud(BEGUN, [RUNNING])
    with pytest.raises((typer.Exit, click.exceptions.Exit)) as caught:
        follower(cloud).carry_out({"machine": "m", "block": 3})
    assert caught.value.exit_code == INTERRUPTED
    assert "blockfold restore --resume m" in capsys.readouterr().err
    assert len(cloud.running) == 1


def test_how_an_execution_is_told() -> None:
    cloud = Cloud({}, [RUNNING, SUCCEEDED, {"status": "FAILED"}])
    workflows = Workflows(lambda: cloud, ARN)
    assert [workflows.look("x") for _ in range(3)] == [
        Execution(running=True),
        Execution(running=False),
        Execution(running=False, error="failed"),
    ]
