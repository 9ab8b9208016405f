"""Arguments of every command that are anything: exit code 0, 1 or 2 and a message, no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import click
import pytest
from click.testing import CliRunner
from typer.main import get_command

from blockfold.cli.app import app
from blockfold.domain.errors import BlockfoldError, Misconfigured
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack
from tests.travel.test_cli import Target

TRIES = 400 if os.environ.get("BLOCKFOLD_SOAK") else 30

WORDS = (
    *(
        "",
        "x",
        "é",
        "0",
        "-1",
        "1",
        "3",
        "10",
        "99999999999999999999999",
        "1.5",
        "NaN",
        "none",
        "1h",
    ),
    *("a/b", "../x", "..", "%2F", "tree/", "tests.machines_for_tests:Cells", "nowhere:Nothing"),
    *(
        "x.py:Y",
        ":",
        "1h/2d",
        "2026-01-31T12:00:00Z",
        "9999-99-99",
        "10MB",
        "-5s",
        "2d",
        "\x1b[31m",
    ),
    *("\udcff", "x" * 5_000, "snapshot", "block:3", "--", "--json", "-h", MACHINE, MACHINE),
)

STDIN = (b"", b"\n", b"{}", b'{"type":"run"}\n', b"\xff\xfe", b"[" * 5_000, b'"x"\nnull\n', b"\x00")


class Anything(Target):
    """A stack in memory; it has no functions that could be called."""

    def __getattr__(self, name: str) -> Any:
        raise Misconfigured(f"there is no {name} here")


def commands(
    group: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, but those that start and stop processes."""
    if isinstance(group, click.Group) or hasattr(group, "commands"):
        for name, each in group.commands.items():
            if name != "local":
                yield from commands(each, (*path, name))
    else:
        yield path, group


BLOCKFOLD = get_command(app)
COMMANDS = dict(commands(BLOCKFOLD))


def arguments(command: click.Command, random: Random) -> list[str]:
    """Words for a command: most of its parameters, and now and then one too many."""
    found: list[str] = []
    for each in command.params:
        value = random.choice(WORDS)
        if each.param_type_name == "argument":
            if random.random() < 0.9:
                found.append(value)
        elif random.random() < 0.4 and each.name != "stack":
            found.append(random.choice(each.opts))
            if not getattr(each, "is_flag", False):
                found.append(value)
    if random.random() < 0.1:
        found.append(random.choice(WORDS))
    return found


@pytest.mark.parametrize("path", COMMANDS, ids="-".join)
def test_any_arguments_end_in_an_exit_code_and_a_message(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stack = Stack()
    stack.grow(4)
    target = Anything(stack)
    for name, module in list(sys.modules.items()):
        if name.startswith("blockfold.cli.") and hasattr(module, "connect"):
            monkeypatch.setattr(module, "connect", lambda *_: target)
    random = Random(" ".join(path))
    runner = CliRunner()
    for _ in range(TRIES):
        words = [*path, *arguments(COMMANDS[path], random)]
        done = runner.invoke(BLOCKFOLD, words, input=random.choice(STDIN))
        told = f"{words}: {done.output[-2_000:]}"
        assert done.exit_code in (0, 1, 2), told
        assert "Traceback" not in done.output, told
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            assert isinstance(done.exception, BlockfoldError), f"{told} {done.exception!r}"
            assert str(done.exception)
        elif done.exit_code == 2:
            assert done.stderr, told
