"""A policy on the local stack: announcer, queue of checks and dumper, from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_command_line import TRIAL, Project, wait_for


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder: Path = tmp_path_factory.mktemp("project")
    project = Project(folder)
    project.ok("local", "up", "--machine", TRIAL, "--count", "none")
    yield project
    project.ok("local", "down")


def numbers(project: Project, machine: str) -> list[int]:
    return [each["number"] for each in project.json("snapshots", machine)]


def test_after_a_quiet_period_the_head_has_a_snapshot(project: Project) -> None:
    project.push("quiet", {"type": "count", "args": {}})
    told = project.run("dumper", "set-policy", "quiet", "--quiet", "2s", "--bytes", "10MB")
    assert told.stderr == (
        "quiet: running, no count, after 2 s of silence or 10 m of traffic, every 10 MB; "
        "last snapshot none, next due none\n"
    )
    project.push("quiet", {"type": "count", "args": {}}, {"type": "count", "args": {}})
    head = project.json("blocks", "quiet")[-1]["number"]
    wait_for(lambda: numbers(project, "quiet"), "a snapshot after silence")
    assert numbers(project, "quiet") == [head]
    assert project.json("dumper", "status", "quiet")["policy"] == {
        "quiet": 2,
        "quiet_most": 600,
        "bytes": 10_000_000,
    }
    refused = project.json("dumper", "set-policy", "quiet", "--quiet-most", "1s")
    assert (refused["changed"], refused["policy"]["quiet_most"]) == (False, 600)
    assert "1 is below 2" in refused["reason"]
    assert "policy" not in project.json(
        "dumper", "set-policy", "quiet", "--quiet", "none", "--bytes", "none"
    )
    wrong = project.run("dumper", "set-policy", "quiet", "--bytes", "many")
    assert wrong.returncode != 0
    assert "'many' is no size" in wrong.stderr
