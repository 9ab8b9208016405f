"""``blockfold archive``, on a stack in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blockfold.adapters.archive import ObjectArchive
from blockfold.application.ship import Shipper
from blockfold.cli.app import app
from tests.archive.shelves import compactor_of
from tests.lambdas.conftest import LambdaContext
from tests.lambdas.handlers import imported
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

dumper = imported("dumper")


@dataclass
class Target:
    """What `connect` finds, as far as the command looks."""

    stack: Stack

    @property
    def adapters(self) -> Target:
        return self

    @property
    def archive(self) -> ObjectArchive:
        return ObjectArchive(self.stack.objects)

    def call(self, output: str, payload: Mapping[str, object]) -> dict[str, Any]:
        assert output == "DumperFunctionName"
        with redirect_stdout(StringIO()):  # its metrics go to its own log
            answer: dict[str, Any] = dumper.handler(dict(payload), LambdaContext(900_000))
        return answer


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Seven blocks of which two batches were shipped."""
    stack = Stack()
    stack.grow(7)
    shipper = Shipper(ObjectArchive(stack.objects))
    for batch in (stack.blocks()[:3], stack.blocks()[3:5]):
        assert shipper.ship(batch).failed == []
    monkeypatch.setattr("blockfold.cli.archive.connect", lambda name: Target(stack))
    monkeypatch.setattr(dumper, "_compactor", lambda: compactor_of(stack))
    monkeypatch.setenv("COLUMNS", "80")
    return stack


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["archive", *arguments])


def test_it_archives_and_shows_the_segments_in_use(stack: Stack) -> None:
    result = run(MACHINE)
    assert result.exit_code == 0, result.output
    head = stack.log.head(MACHINE)
    assert head is not None
    table = result.stdout.splitlines()
    assert table[0].split() == ["first", "last", "epoch", "bytes", "stored", "hash"]
    assert [line.split()[:3] for line in table[1:]] == [["1", "7", "0"]]
    assert head.hash[:10] in table[1]
    assert "m: blocks up to 7 are archived; 1 segment in use, 3 superseded" in result.stderr


def test_it_says_what_was_healed(stack: Stack) -> None:
    stack.clock.milliseconds += 3_600_000
    assert "blocks up to 7 are archived, 2 blocks healed;" in run(MACHINE).stderr


def test_json_names_the_objects(stack: Stack) -> None:
    found = json.loads(run(MACHINE, "--json").stdout)
    assert (found["machine"], found["archived"], found["healed"]) == (MACHINE, 7, 0)
    (segment,) = found["segments"]
    assert (segment["first"], segment["last"], segment["epoch"]) == (1, 7, 0)
    assert stack.objects.stat(segment["key"]) is not None
    assert segment["stored"].endswith("Z")


def test_a_machine_that_is_not_there_is_an_error(stack: Stack) -> None:
    result = run("nobody")
    assert result.exit_code == 1
    assert "there is no machine 'nobody'" in str(result.exception)
