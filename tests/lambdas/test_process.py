"""The executor λ as Lambda runs it: a fresh interpreter, told everything by its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blockfold.bootstrap import Adapters
from blockfold.domain.errors import Misconfigured
from blockfold.settings import Settings
from tests.contracts import resources
from tests.emulator import BareEmulator
from tests.lambdas.conftest import EVENTS, load

ROOT = Path(__file__).parents[2]

RUN = """
import json, sys
from lambdas.executor import handler

class Context:
    def get_remaining_time_in_millis(self):
        return 60_000

events = [json.load(open(path)) for path in sys.argv[1:]]
answers = [handler(event, Context()) for event in events]
json.dump({"answers": answers, "modules": sorted(sys.modules)}, sys.stderr)
"""

FOREIGN = {
    "aws_cdk",
    "aws_xray_sdk",
    "hypothesis",
    "infra",
    "jsii",
    "moto",
    "pydantic",
    "pytest",
    "rich",
    "typer",
}


@pytest.fixture(scope="module")
def settings(emulator: BareEmulator) -> Settings:
    return resources.make(resources.clients_of(emulator), machine="machines.forest:Forest")


@pytest.fixture(scope="module")
def environment(emulator: BareEmulator, settings: Settings) -> dict[str, str]:
    """What the stack and Lambda's runtime set."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_REGION": emulator.region,
        "AWS_DEFAULT_REGION": emulator.region,
        "AWS_ACCESS_KEY_ID": emulator.access_key,
        "AWS_SECRET_ACCESS_KEY": emulator.secret_key,
        "AWS_ENDPOINT_URL": emulator.endpoint,
        "BLOCKFOLD_MACHINE": settings.machine,
        "BLOCKFOLD_BLOCKS_TABLE": settings.blocks_table,
        "BLOCKFOLD_STATE_TABLE": settings.state_table,
        "BLOCKFOLD_MACHINES_TABLE": settings.machines_table,
        "BLOCKFOLD_SNAPSHOTS_BUCKET": settings.snapshots_bucket,
        "BLOCKFOLD_ACTIONS_QUEUE_URL": f"{emulator.endpoint}/000000000000/actions.fifo",
        "POWERTOOLS_SERVICE_NAME": "executor",
        "POWERTOOLS_METRICS_NAMESPACE": "Blockfold",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def run(environment: dict[str, str], *events: str) -> tuple[list[Any], set[str], list[Any]]:
    """The answers, the modules that were imported, and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *(str(EVENTS / f"{event}.json") for event in events)],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stderr)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    return told["answers"], set(told["modules"]), printed


def test_events_become_blocks_and_state_and_nothing_foreign_is_imported(
    emulator: BareEmulator, settings: Settings, environment: dict[str, str]
) -> None:
    answers, modules, printed = run(environment, "three_groups", "malformed", "three_groups")

    assert answers == [{"batchItemFailures": []}] * 3
    assert {name.partition(".")[0] for name in modules} & FOREIGN == set()
    assert not {name for name in modules if name.startswith(("blockfold.cli", "blockfold.local"))}
    folded = [line for line in printed if line.get("message") == "folded"]
    assert [(line["machine"], line["blocks"], line["repeated"]) for line in folded] == [
        ("north", [1], 0),
        ("south", [1], 0),
        ("east", [1], 0),
        ("grove", [1], 0),
        ("north", [], 5),
        ("south", [], 3),
        ("east", [], 2),
    ]
    blobs = [line for line in printed if "_aws" in line]
    assert [sum(blob["Blocks"]) for blob in blobs] == [3, 1, 0]
    assert len(folded) + len(blobs) == len(printed)

    adapters = Adapters(settings, resources.clients_of(emulator))
    assert sorted(record.machine for record in adapters.machines.list()) == [
        "east",
        "grove",
        "north",
        "south",
    ]
    assert {record.flushed for record in adapters.machines.list()} == {1}
    assert {row.key for row in adapters.table.scan("north") if row.value is not None} == {
        "cut",
        "tree/n9",
    }


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            {"BLOCKFOLD_STATE_TABLE": "", "BLOCKFOLD_MACHINE": ""},
            "lacks BLOCKFOLD_STATE_TABLE, BLOCKFOLD_MACHINE (the stack sets them: deploy it again)",
        ),
        ({"BLOCKFOLD_MACHINE": "machines.forest:Jungle"}, "'machines.forest:Jungle' cannot be"),
        ({"BLOCKFOLD_MACHINE": "machines.forest:Litres"}, "is no subclass of blockfold.Machine"),
        ({"BLOCKFOLD_ACTION_SECONDS": "soon"}, "BLOCKFOLD_ACTION_SECONDS='soon' is no time"),
        ({"BLOCKFOLD_BLOCKS_TABLE": "NoBlocks"}, "is the stack deployed"),
    ],
)
def test_a_wrong_environment_keeps_the_messages_and_says_what_is_wrong(
    environment: dict[str, str], broken: dict[str, str], words: str
) -> None:
    (answer,), _, printed = run({**environment, **broken}, "one_message")
    (record,) = load("one_message")["Records"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    line, released = [line for line in printed if "level" in line]
    assert line["level"] in ("ERROR", "WARNING")
    assert line["message"] in ("folded", "fold failed")
    assert released["message"] == "release failed", "no queue of this test made the receipts"
    assert words in line.get("error", "") + line.get("exception", "")


def test_settings_name_every_missing_variable() -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environment({})
    for name in ("BLOCKS_TABLE", "STATE_TABLE", "MACHINES_TABLE", "SNAPSHOTS_BUCKET", "MACHINE"):
        assert f"BLOCKFOLD_{name}" in str(caught.value)
