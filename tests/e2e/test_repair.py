"""Damage in a real stack's bucket: named, told by a dry run, healed, and clean after that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.samples import noise
from tests.e2e.test_command_line import TRIAL, Project

MACHINE = "worn"
FOLDERS = ("snapshots", "runs", "archive", "log")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    project.ok("local", "up", "--machine", TRIAL, "--count", "2")
    yield project
    project.ok("local", "down")


def test_damage_is_named_and_repaired(project: Project) -> None:
    for number in range(5):
        text = noise(30_000, number) if number == 2 else f"text {number}"
        project.push(MACHINE, {"type": "keep", "args": {"key": f"k{number}", "value": text}})
    project.ok("dump", MACHINE)
    project.ok("archive", MACHINE)
    project.ok("verify", MACHINE)
    assert "nothing to repair" in project.run("repair", MACHINE).stderr
    objects = project.stack.adapters.objects
    damaged = []
    for folder in FOLDERS:
        key = next(each.key for each in objects.list(f"machines/{MACHINE}/{folder}/"))
        data = bytearray(objects.get(key) or b"")
        data[len(data) // 2] ^= 1
        objects.replace(key, bytes(data))
        damaged.append(key)
    found = project.run("verify", MACHINE)
    assert found.returncode == 1
    assert all(key in found.stderr for key in damaged), found.stderr
    assert f"blockfold repair {MACHINE}" in found.stderr
    planned = project.json("repair", MACHINE, "--dry-run")
    assert project.run("verify", MACHINE).stderr == found.stderr
    done = project.json("repair", MACHINE)
    assert {**planned, "dry_run": False} == done
    assert set(damaged) <= {healed["key"] for healed in done["healed"]}
    assert done["ok"]
    clean = project.json("verify", MACHINE)
    assert clean["ok"]
    assert clean["findings"] == clean["found"] == []
    assert clean["objects"] > len(damaged)
    project.push(MACHINE, {"type": "count"})
    project.ok("verify", MACHINE)
