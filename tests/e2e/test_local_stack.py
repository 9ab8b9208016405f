"""The life of a local stack, with a real emulator and a project in miniature."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from blockfold.local import (
    DataFolderError,
    DeploymentError,
    LocalStack,
    PortInUse,
    down,
    environment,
    status,
    up,
)
from blockfold.local import emulator as process
from blockfold.local.folder import DataFolder
from blockfold.local.network import free_port

MINIATURE = Path(__file__).parents[1] / "local" / "miniature"
PATIENCE = 15.0


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A copy of the project in miniature; whatever it started is killed at the end."""
    root = tmp_path / "project"
    shutil.copytree(MINIATURE, root)
    yield root
    found = process.find(DataFolder.of(root))
    if found is not None:
        process.destroy(found)


def client(stack: LocalStack, service: str) -> Any:
    """A client as a user has it: made of the variables that `environment` names."""
    variables = environment(stack)
    session: Any = boto3.Session()
    return session.client(
        service,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def send(stack: LocalStack, body: str) -> None:
    """Queue a message."""
    client(stack, "sqs").send_message(
        QueueUrl=stack.outputs["QueueUrl"],
        MessageBody=body,
        MessageGroupId="group",
        MessageDeduplicationId=body,
    )


def write(stack: LocalStack, machine: str) -> None:
    """Put an item into the table whose stream is watched."""
    client(stack, "dynamodb").put_item(
        TableName=stack.outputs["WatchedName"], Item={"machine": {"S": machine}}
    )


def handled(stack: LocalStack) -> dict[str, str]:
    """What the Lambda has seen, and the machine that its environment named then."""
    items = client(stack, "dynamodb").scan(TableName=stack.outputs["HandledName"])["Items"]
    return {item["seen"]["S"]: item["code"]["S"] for item in items}


def eventually(check: Callable[[], bool]) -> None:
    """Wait until `check` holds."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def key(machine: str) -> str:
    """How the Lambda notes a stream record of `machine`."""
    return json.dumps({"machine": {"S": machine}})


def test_data_survive_down_and_updates_but_not_fresh(root: Path) -> None:
    """Up, work, down, up, update, a second stack, another port, fresh."""
    first = up(root, port=None)
    send(first, "one")
    write(first, "a")
    write(first, "b")
    eventually(lambda: set(handled(first)) == {"one", key("a"), key("b")})
    client(first, "s3").put_object(Bucket=first.outputs["BucketName"], Key="x/%20y", Body=b"body")

    assert down(root)
    assert not status(root).running
    assert not down(root)

    second = up(root)
    assert (second.port, second.outputs) == (first.port, first.outputs)
    assert set(handled(second)) == {"one", key("a"), key("b")}
    body = client(second, "s3").get_object(Bucket=second.outputs["BucketName"], Key="x/%20y")
    assert body["Body"].read() == b"body"
    write(second, "c")  # streams deliver again although the emulator forgot their positions
    send(second, "two")
    eventually(lambda: {key("c"), "two"} <= set(handled(second)))

    updated = up(root, machine="machines.other:Other")
    assert (updated.pid, updated.outputs) == (second.pid, second.outputs)
    send(updated, "three")
    eventually(lambda: handled(updated).get("three") == "machines.other:Other")
    assert up(root).machine == "machines.other:Other"

    beside = up(root, stack="Second")
    assert beside.pid == updated.pid
    assert not set(beside.outputs.values()) & set(updated.outputs.values())
    send(beside, "beside")
    eventually(lambda: set(handled(beside)) == {"beside"})
    assert [stack.stack for stack in status(root).stacks] == ["Blockfold", "Second"]

    moved = up(root, port=free_port())
    assert moved.endpoint != updated.endpoint
    assert moved.outputs["QueueUrl"].startswith(moved.endpoint)
    send(moved, "four")
    eventually(lambda: "four" in handled(moved))
    there = {stack.stack: stack for stack in status(root).stacks}
    assert there["Second"].outputs["QueueUrl"].startswith(moved.endpoint)
    send(there["Second"], "beside again")
    eventually(lambda: "beside again" in handled(there["Second"]))

    wiped = up(root, fresh=True)
    assert handled(wiped) == {}
    assert wiped.machine is None
    assert [stack.stack for stack in status(root).stacks] == ["Blockfold"]


def test_a_killed_emulator_goes_back_to_its_last_graceful_stop(root: Path) -> None:
    """Tables and objects are of one moment, although objects reach the disk at once."""
    stack = up(root)
    client(stack, "s3").put_object(Bucket=stack.outputs["BucketName"], Key="kept", Body=b"1")
    write(stack, "kept")
    down(root)
    stack = up(root)
    client(stack, "s3").put_object(Bucket=stack.outputs["BucketName"], Key="lost", Body=b"1")
    write(stack, "lost")
    assert stack.pid is not None
    os.kill(stack.pid, signal.SIGKILL)
    eventually(lambda: not status(root).running)

    told: list[str] = []
    stack = up(root, report=told.append)

    assert any("did not stop gracefully" in line for line in told)
    listed = client(stack, "s3").list_objects_v2(Bucket=stack.outputs["BucketName"])
    assert [entry["Key"] for entry in listed["Contents"]] == ["kept"]
    items = client(stack, "dynamodb").scan(TableName=stack.outputs["WatchedName"])["Items"]
    assert items == [{"machine": {"S": "kept"}}]


def test_messages_in_flight_at_the_stop_are_delivered_after_it(root: Path) -> None:
    """A group does not stand still until a visibility time-out that nobody waits for."""
    stack = up(root)
    mapping = client(stack, "lambda").list_event_source_mappings()["EventSourceMappings"]
    queue = next(entry["UUID"] for entry in mapping if ":sqs:" in entry["EventSourceArn"])
    client(stack, "lambda").update_event_source_mapping(UUID=queue, Enabled=False)
    send(stack, "held")
    received = client(stack, "sqs").receive_message(QueueUrl=stack.outputs["QueueUrl"])
    assert len(received["Messages"]) == 1
    client(stack, "lambda").update_event_source_mapping(UUID=queue, Enabled=True)
    down(root)

    stack = up(root)

    eventually(lambda: "held" in handled(stack))


def test_the_lambda_sees_nothing_of_the_callers_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials, profiles and proxies of the caller stay with the caller."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret-token")
    monkeypatch.setenv("MY_PASSWORD", "secret-password")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/")
    stack = up(root)
    monkeypatch.undo()

    answer = client(stack, "lambda").invoke(FunctionName=stack.outputs["FunctionName"])
    seen = json.loads(answer["Payload"].read())["environment"]

    assert seen["AWS_ENDPOINT_URL"] == stack.endpoint
    assert seen["PLATFORM"] == "host"
    assert not {"MY_PASSWORD", "HTTP_PROXY"} & set(seen)
    assert not [value for value in seen.values() if "secret" in value]


def test_what_goes_wrong_is_said_and_can_be_mended(root: Path) -> None:
    """A taken port, a failing resource, damaged files: named, with a way out that works."""
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        with pytest.raises(PortInUse, match="another process listens"):
            up(root, port=foreign.getsockname()[1])

    with pytest.raises(DeploymentError, match="Broken"):
        up(root, context={"broken": "yes"})
    stack = up(root)
    send(stack, "after a failed creation")
    eventually(lambda: "after a failed creation" in handled(stack))

    with pytest.raises(DeploymentError, match="Broken"):
        up(root, context={"broken": "yes"})
    stack = up(root)
    send(stack, "after a failed update")
    eventually(lambda: "after a failed update" in handled(stack))
    down(root)

    state = DataFolder.of(root).state / "dynamodb.json"
    state.write_text(state.read_text()[:-20])
    with pytest.raises(DataFolderError, match="--fresh"):
        up(root)
    DataFolder.of(root).stack_file.write_text("{")
    with pytest.raises(DataFolderError, match="--fresh"):
        up(root)
    assert handled(up(root, fresh=True)) == {}
