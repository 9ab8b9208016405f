"""``local.json``: what other programs and the next command read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockfold.local import DataFolderError, down, environment, status
from blockfold.local.folder import DataFolder
from blockfold.local.stack_file import Deployed, StackFile, load, save

DEPLOYED = Deployed(machine=None, context={"count": "25"}, outputs={"ActionsQueueUrl": "u"})


def content(data: Path) -> StackFile:
    return StackFile(
        endpoint="http://127.0.0.1:20000",
        region="us-east-1",
        stack="Blockfold",
        outputs=DEPLOYED.outputs,
        machine=None,
        pid=99999999,
        port=20000,
        data=str(data),
        log=str(data / "emulator.log"),
        stacks={"Blockfold": DEPLOYED, "Second": DEPLOYED},
    )


def test_it_reads_back_and_has_the_promised_fields(tmp_path: Path) -> None:
    path = tmp_path / "new" / "local.json"
    save(path, content(tmp_path))

    assert load(path) == content(tmp_path)
    raw = json.loads(path.read_text())
    assert raw["outputs"] == {"ActionsQueueUrl": "u"}
    assert {"endpoint", "region", "stack", "outputs", "pid", "port", "machine"} <= set(raw)
    assert [entry.name for entry in path.parent.iterdir()] == ["local.json"]


def test_a_missing_file_is_none_and_a_damaged_one_an_error(tmp_path: Path) -> None:
    path = tmp_path / "local.json"
    assert load(path) is None
    for damaged in ("", "{", "[]", '{"endpoint": 1}'):
        path.write_text(damaged)
        with pytest.raises(DataFolderError, match="--fresh"):
            load(path)


def test_status_and_down_cope_with_a_stale_id(tmp_path: Path) -> None:
    folder = DataFolder.of(tmp_path)
    save(folder.stack_file, content(folder.path))

    found = status(tmp_path)
    assert (found.running, found.healthy) == (False, False)
    assert [stack.stack for stack in found.stacks] == ["Blockfold", "Second"]

    assert not down(tmp_path)
    stack = status(tmp_path).stack
    assert stack is not None
    assert (stack.pid, stack.port) == (None, 20000)


def test_status_and_down_of_an_untouched_project_make_no_folder(tmp_path: Path) -> None:
    assert status(tmp_path).stack is None
    assert not down(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_points_clients_at_one_stack(tmp_path: Path) -> None:
    save(DataFolder.of(tmp_path).stack_file, content(tmp_path))
    second = status(tmp_path).stacks[1]
    assert environment(second) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:20000",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "BLOCKFOLD_STACK": "Second",
    }
