"""Imports, plans and the restore workflow on the real template in the real emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from blockfold.application.restore import Target
from blockfold.bootstrap import restorer
from blockfold.domain.errors import Refused
from blockfold.recorders import S3Recorder, at_exit
from tests.e2e.test_command_line import TRIAL, Project
from tests.recorders.playing import Play

NEVER = float("inf")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    project.ok("local", "up", "--machine", TRIAL, "--count", "100")
    yield project
    project.ok("local", "down")


@pytest.fixture(scope="module")
def moved(project: Project) -> str:
    """A machine that starts from 3,000 keys, brought in another order than theirs."""
    lines = [
        json.dumps({"key": f"user/{number * 7 % 3000:04}", "value": {"n": number}})
        for number in range(3_000)
    ]
    (project.folder / "users.jsonl").write_text("\n".join(lines))
    answer = project.json("import", "moved", "users.jsonl")
    assert (answer["number"], answer["rows"], answer["done"]) == (1, 3_000, True)
    assert (answer["written"], answer["deleted"]) == (3_000, 0)
    return "moved"


def test_an_imported_machine_is_one_as_any_other(project: Project, moved: str) -> None:
    project.ok("verify", moved)
    exported = project.ok("export", moved)
    found = {each["key"]: each["value"] for each in map(json.loads, exported.splitlines())}
    assert len(found) == 3_000
    assert found["user/0007"] == {"n": 1}
    copied = project.json("import", "again", "-", stdin=exported)
    assert copied["digest"] == project.json("blocks", moved)[0]["digest"]
    refused = project.run("import", moved, "users.jsonl")
    assert refused.returncode == 1
    assert "exists already" in refused.stderr
    wrong = project.run("import", "wrong", "--format", "json", stdin='{"a": 1, "a": 2}')
    assert wrong.returncode == 1
    assert "entry 2 has the key 'a'" in wrong.stderr


def test_a_dry_run_says_what_it_takes(project: Project, moved: str) -> None:
    project.push(moved, {"type": "keep", "args": {"key": "user/0000", "value": 1}})
    head = len(project.json("blocks", moved))
    told = project.run("restore", moved, "--block", "1", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert f"as block {head + 1} of {moved}: 1 keys written, 0 deleted" in told.stderr
    assert ": 1 write unit, " in told.stderr
    plan = project.json("restore", moved, "--block", "1", "--dry-run")
    assert (plan["rows"], plan["estimate"]["writes"]) == (3_000, 1)
    assert len(project.json("blocks", moved)) == head


def test_the_workflow_finishes_what_was_only_begun(project: Project, moved: str) -> None:
    stack = project.stack
    target = Target(moved, block=1, fork="large")
    begun = restorer(stack.adapters).carry_out(target, deadline=NEVER, begin_only=True)
    assert not begun.done
    assert list(stack.adapters.table.scan("large")) == []
    resumed = project.run("restore", "large", "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    answer = json.loads(resumed.stdout)
    assert answer == {"machine": "large", "number": 1, "rows": 3_000, "done": True}
    assert len(list(stack.adapters.table.scan("large"))) == 3_000
    record = stack.adapters.machines.get("large")
    assert record is not None
    assert (record.flushed, record.restoring) == (1, None)
    project.ok("verify", "large")
    again = project.run("restore", "large", "--resume")
    assert again.returncode == 1
    assert "no restore of machine 'large' is under way" in again.stderr
    wrong = project.run("restore", "large", "--resume", "--block", "1")
    assert wrong.returncode == 1
    assert "name the machine, and nothing else" in wrong.stderr


def recorder_of(project: Project, machine: str) -> S3Recorder:
    """A recorder in the stack's own bucket."""
    stack = project.stack
    bucket = stack.adapters.settings.snapshots_bucket
    return S3Recorder(bucket, machine, client=stack.clients.s3, create=False, quiet=None)


def test_what_the_library_recorded_starts_a_machine_here(project: Project, moved: str) -> None:
    stack = project.stack
    play = Play("lab", recorder_of(project, "lab"))
    play.begin()
    play.grow(6)
    play.recorder.create_snapshot()
    play.grow(2)
    play.recorder.flush()
    answer = stack.clients.lambda_.invoke(
        FunctionName=stack.outputs["RestoreFunctionName"],
        Payload=json.dumps({"machine": "lab", "snapshot": 6, "as": "grove"}),
    )
    assert "FunctionError" not in answer
    restored = json.loads(answer["Payload"].read())
    assert (restored["machine"], restored["source"], restored["restored"]) == ("grove", "lab", 6)
    assert project.json("state", "grove")["entries"] == play.state(6)
    project.push("grove", {"type": "keep", "args": {"key": "goes", "value": "on"}})
    assert project.json("state", "grove")["entries"] == {**play.state(6), "goes": "on"}
    project.ok("verify", "grove")
    project.ok("restore", "lab", "--snapshot", "6", "--as", "glade")
    missing = project.run("restore", "lab", "--block", "7", "--as", "dell")
    assert missing.returncode == 1
    assert "no snapshot of block 7" in missing.stderr

    project.ok("rebuild", "lab", "--yes")
    project.ok("verify", "lab")
    assert project.json("state", "lab")["entries"] == play.state(8)
    play.grow(1)
    with pytest.raises(Refused, match="another process has recorded machine 'lab'"):
        play.recorder.flush()
    at_exit.forget(play.recorder)


def test_the_library_loads_what_the_dumper_wrote(project: Project, moved: str) -> None:
    project.ok("dump", moved)
    project.ok("archive", moved)
    recorder = recorder_of(project, moved)
    found = recorder.load_snapshot()
    assert found is not None
    assert found.checked().state == project.json("state", moved)["entries"]
    assert found.block.hash == project.json("blocks", moved)[-1]["hash"]
    with pytest.raises(Refused, match="kept there by a stack"):
        Play(moved, recorder).begin()
