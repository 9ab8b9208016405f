"""What a start of the emulator finds after each kind of end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockfold.local import DataFolderError
from blockfold.local.folder import DataFolder
from blockfold.local.savepoint import prepare

HERE = "http://127.0.0.1:20001"
THERE = "http://127.0.0.1:20002"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def start(folder: DataFolder, *, moved: tuple[str, str] | None = None) -> list[str]:
    told: list[str] = []
    prepare(folder, moved=moved, warn=told.append)
    return told


def write(folder: DataFolder, content: str) -> None:
    """Replace files as ministack does."""
    for path in (folder.state / "dynamodb.json", folder.objects / "bucket" / "key"):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp")
        scratch.write_text(content)
        scratch.replace(path)


def content(folder: DataFolder) -> set[str]:
    return {path.read_text() for path in folder.emulator.rglob("*") if path.is_file()}


def test_after_a_graceful_stop_everything_stays(folder: DataFolder) -> None:
    assert start(folder) == []
    write(folder, "1")
    folder.clean.touch()

    assert start(folder) == []
    assert content(folder) == {"1"}
    assert not folder.clean.exists()


def test_after_a_kill_the_last_graceful_stop_comes_back(folder: DataFolder) -> None:
    start(folder)
    write(folder, "1")
    folder.clean.touch()
    for written in ("2", "3"):
        start(folder)
        write(folder, written)

    [told] = start(folder)

    assert "going back" in told
    assert content(folder) == {"1"}


def test_killed_before_the_first_graceful_stop_it_starts_empty(folder: DataFolder) -> None:
    start(folder)
    write(folder, "1")

    [told] = start(folder)

    assert "starting empty" in told
    assert content(folder) == set()


def test_unpacked_code_of_lambdas_is_removed(folder: DataFolder) -> None:
    start(folder)
    (folder.temporary / "ministack-lambda-x").mkdir()
    start(folder)
    assert list(folder.temporary.iterdir()) == []


def test_positions_in_streams_that_are_gone_are_forgotten(folder: DataFolder) -> None:
    folder.state.mkdir(parents=True)
    path = folder.state / "lambda.json"
    payload = {"functions": 1, "dynamodb_stream_positions": {"a": 6}, "kinesis_positions": {}}
    path.write_text(json.dumps({"__ministack_format__": 2, "payload": payload}))
    folder.clean.touch()

    start(folder)

    assert json.loads(path.read_text()) == {
        "__ministack_format__": 2,
        "payload": {"functions": 1},
    }


def test_received_messages_become_visible_and_delayed_ones_do_not(folder: DataFolder) -> None:
    folder.state.mkdir(parents=True)
    path = folder.state / "sqs.json"
    messages = [
        {"id": "received", "receive_count": 2, "visible_at": 9e9},
        {"id": "delayed", "receive_count": 0, "visible_at": 9e9},
    ]
    queues = {"data": {"queue": {"messages": messages}}}
    path.write_text(json.dumps({"payload": {"queues": queues}}))
    folder.clean.touch()

    start(folder)

    after = json.loads(path.read_text())["payload"]["queues"]["data"]["queue"]["messages"]
    assert [message["visible_at"] for message in after] == [0, 9e9]
    assert after[0]["receive_count"] == 2


def test_queue_urls_follow_the_emulator_to_another_port(folder: DataFolder) -> None:
    folder.state.mkdir(parents=True)
    for name in ("sqs.json", "cloudformation.json", "dynamodb.json"):
        (folder.state / name).write_text(json.dumps([f"{HERE}/000000000000/q", HERE]))
    folder.clean.touch()

    start(folder, moved=(HERE, THERE))

    def urls(name: str) -> object:
        return json.loads((folder.state / name).read_text())

    assert urls("sqs.json") == urls("cloudformation.json") == [f"{THERE}/000000000000/q", HERE]
    assert urls("dynamodb.json") == [f"{HERE}/000000000000/q", HERE]  # data are the user's


def test_unreadable_state_is_named(folder: DataFolder) -> None:
    folder.state.mkdir(parents=True)
    (folder.state / "lambda.json").write_text("{")
    folder.clean.touch()
    with pytest.raises(DataFolderError, match=r"lambda\.json.*--fresh"):
        start(folder)
