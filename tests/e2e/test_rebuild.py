"""Lost tables, on the whole local stack: drilled before, put back item for item, gone on from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from blockfold.client import Stack
from blockfold.domain.keys import machine_prefix
from tests.e2e.test_command_line import TRIAL, Project, wait_for

KEYS = {"blocks": ("machine", "number"), "state": ("machine", "key"), "machines": ("machine",)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    project.ok("local", "up", "--machine", TRIAL, "--count", "2")
    yield project
    project.ok("local", "down")


def items(stack: Stack) -> dict[str, dict[tuple[str, ...], Any]]:
    """Every item of the three tables by its key, without the clocks of the time to live."""
    settings = stack.adapters.settings
    found: dict[str, dict[tuple[str, ...], Any]] = {}
    for table, names in KEYS.items():
        pages = stack.clients.dynamodb.get_paginator("scan").paginate(
            TableName=getattr(settings, f"{table}_table")
        )
        found[table] = {
            tuple(json.dumps(item[name]) for name in names): {
                name: value for name, value in item.items() if name != "expires"
            }
            for page in pages
            for item in page["Items"]
        }
    return found


def lose(stack: Stack) -> None:
    """Delete every item, as a mistake or an attacker would."""
    for table, found in items(stack).items():
        for key in found:
            stack.clients.dynamodb.delete_item(
                TableName=getattr(stack.adapters.settings, f"{table}_table"),
                Key={name: json.loads(value) for name, value in zip(KEYS[table], key, strict=True)},
            )
    assert not any(items(stack).values())


def is_quiet(stack: Stack) -> bool:
    found = items(stack)
    time.sleep(1.5)
    return items(stack) == found


def in_epoch_1(records: dict[tuple[str, ...], Any]) -> dict[tuple[str, ...], Any]:
    return {key: {**record, "epoch": {"N": "1"}} for key, record in records.items()}


def test_lost_tables_come_back_and_the_chain_goes_on(project: Project) -> None:
    stack = project.stack
    for number in range(5):
        keep = {"type": "keep", "args": {"key": f"k/{number % 3}", "value": {"n": number}}}
        project.push("grove", keep, {"type": "count"})
    project.ok("dumper", "set-count", "grove", "3")
    project.ok("restore", "grove", "--block", "2")
    project.ok("restore", "grove", "--block", "2", "--as", "copy")
    project.push("grove", {"type": "count"})
    head = project.json("blocks", "grove")[-1]["number"]
    for machine in ("grove", "copy"):
        project.json("archive", machine)
        (drilled,) = [each for each in project.json("drill", "--all") if each["machine"] == machine]
        assert (drilled["ok"], drilled["rpo_blocks"]) == (True, 0)
    wait_for(lambda: is_quiet(stack), "the background functions")
    before = items(stack)
    assert len(before["blocks"]) == head + 1

    lose(stack)
    failed = project.run("drill", "grove")
    assert failed.returncode == 1
    assert "the Blocks table ends at block 0" in failed.stderr
    planned = project.json("rebuild", "--all", "--dry-run")
    assert [(each["machine"], each["blocks"]) for each in planned] == [("copy", 1), ("grove", head)]
    assert project.run("rebuild", "--all").returncode == 1  # nobody is there to be asked
    assert items(stack)["blocks"] == {}

    rebuilt = project.json("rebuild", "--all", "--yes")
    assert [each["epoch"] for each in rebuilt] == [1, 1]
    whole = {**before, "machines": in_epoch_1(before["machines"])}
    assert items(stack) == whole
    project.push("grove", {"type": "count"})
    after = items(stack)
    assert {key: after["blocks"][key] for key in before["blocks"]} == before["blocks"]
    changed = {key for key in after["state"] if after["state"][key] != before["state"].get(key)}
    assert (json.dumps({"S": "grove"}), json.dumps({"S": "count"})) in changed
    assert len(changed) == 2, "and the counter of the new producer"
    newest = project.json("block", "grove", str(head + 1))
    assert newest["parent"] == project.json("block", "grove", str(head))["hash"]
    for machine in ("grove", "copy"):
        assert project.json("verify", machine)["ok"]
    assert project.json("archive", "grove")["segments"][-1]["epoch"] == 1
    assert project.json("drill", "grove")["ok"]


def test_machines_are_deleted_after_their_heirs(project: Project) -> None:
    stack = project.stack
    refused = project.run("delete", "grove", "--confirm", "grove")
    assert refused.returncode == 1
    assert "copy was forked from it" in refused.stderr
    assert project.run("delete", "copy", "--confirm", "grove").returncode == 1
    assert project.run("delete", "copy").returncode == 1
    assert project.json("verify", "copy")["ok"]
    for machine in ("copy", "grove"):
        gone = project.json("delete", machine, "--confirm", machine)
        assert (gone["rows"] > 0, gone["blocks"] > 0, gone["late"]) == (True, True, False)
        assert not list(stack.adapters.objects.list(machine_prefix(machine)))
    assert not any(items(stack).values())
    missing = project.run("delete", "grove", "--confirm", "grove")
    assert missing.returncode == 1
    assert "there is no machine 'grove'" in missing.stderr
    project.push("grove", {"type": "count"})
    assert [block["number"] for block in project.json("blocks", "grove")] == [1]
