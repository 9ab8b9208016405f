"""A cold executor imports what its first commit needs, and nothing of the rest of the stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cold_start import ENVIRONMENT

ROOT = Path(__file__).parents[2]

READY = """
import json, sys
import lambdas.executor
lambdas.executor._executor().log
json.dump(sorted(sys.modules), sys.stdout)
"""

LEFT_OUT = {
    "boto3": "botocore has the clients",
    "s3transfer": "boto3 brings it",
    "multiprocessing": "s3transfer brings it",
    "asyncio": "nothing here waits that way",
    "aws_xray_sdk": "there is no tracer",
    "rich": "the terminal's",
    "typer": "the terminal's",
    "blockfold.cli": "the terminal's",
    "blockfold.client": "the terminal's",
    "blockfold.local": "the terminal's",
    "blockfold.producer": "a sender's",
    "blockfold.records": "a machine's, if it asks",
    "blockfold.recorders": "a plain object's",
    "blockfold.runtime": "a plain object's",
    "blockfold.adapters.bodies": "the verifier's",
    "blockfold.adapters.checks": "the announcer's",
    "blockfold.adapters.confined": "made for a message that comes the third time",
    "blockfold.adapters.dynamodb.erase": "the deleter's",
    "blockfold.adapters.eventbridge": "the announcer's",
    "blockfold.adapters.memory": "for tests and plain objects",
    "blockfold.adapters.workflows": "the command line's",
    "blockfold.application.announce": "the announcer's",
    "blockfold.application.compact": "the archiver's",
    "blockfold.application.delete": "the command line's",
    "blockfold.application.drill": "the driller's",
    "blockfold.application.dump": "the dumper's",
    "blockfold.application.prune": "the pruner's",
    "blockfold.application.read": "a reader's",
    "blockfold.application.rebuild": "the command line's",
    "blockfold.application.repair": "the command line's",
    "blockfold.application.restore": "the restorer's",
    "blockfold.application.travel": "a reader's",
    "blockfold.application.verify": "the command line's",
}
"""Modules that a cold executor must not import, and whose they are."""


@pytest.fixture(scope="module")
def imported() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", READY],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
    )
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stdout)
    return modules


def test_what_the_first_commit_does_not_need_is_not_imported(imported: list[str]) -> None:
    for each in LEFT_OUT:
        assert not [name for name in imported if f"{name}.".startswith(f"{each}.")]


def test_what_it_does_need_is_there(imported: list[str]) -> None:
    """Else the list above would be true of anything."""
    assert {
        "aws_lambda_powertools",
        "blockfold.adapters.dynamodb.blocks",
        "blockfold.application.execute",
        "botocore.client",
        "machines.forest",
    } <= set(imported)


def test_what_is_left_out_exists() -> None:
    for each in LEFT_OUT:
        if each.startswith("blockfold."):
            path = ROOT.joinpath(*each.split("."))
            assert path.is_dir() or path.with_suffix(".py").is_file(), each
