"""Actions that kill their executor, on the local stack: recorded, and nothing stands still."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_command_line import Project, recorded, send_raw, wait_for


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder: Path = tmp_path_factory.mktemp("project")
    project = Project(folder)
    project.ok("local", "up", "--machine", "tests.confined.rogues:Rogue")
    # An executor that died leaves its messages invisible for so long.
    project.stack.clients.sqs.set_queue_attributes(
        QueueUrl=project.stack.outputs["ActionsQueueUrl"], Attributes={"VisibilityTimeout": "1"}
    )
    yield project
    project.ok("local", "down")


def test_actions_that_kill_their_executor_are_recorded_between_their_neighbours(
    project: Project,
) -> None:
    types = ["count", "leave", "count", "crash", "exhaust", "count"]
    send_raw(
        project,
        "grove",
        '{"type": "count"}',
        json.dumps([{"type": each} for each in types]),
        '{"type": "count"}',
    )
    actions = recorded(project, "grove")
    assert [each["type"] for each in actions] == ["count", *types, "count"]
    assert [each["outcome"] for each in actions] == [
        *("applied", "applied", "failed", "applied"),
        *("failed", "failed", "applied", "applied"),
    ]
    assert [each["reason"] for each in actions if each["outcome"] == "failed"] == [
        "its process ended with exit status 3",
        "its process was ended by SIGSEGV",
        "MemoryError",
    ]
    dead = project.stack.clients.sqs.get_queue_attributes(
        QueueUrl=project.stack.outputs["DeadLetterQueueUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )["Attributes"]
    assert dead == {"ApproximateNumberOfMessages": "0"}
    assert project.json("state", "grove")["entries"] == {"count": 5}
    project.ok("verify", "grove")

    project.push("grove", {"type": "count"})
    wait_for(lambda: len(recorded(project, "grove")) == 9, "the machine to go on")
