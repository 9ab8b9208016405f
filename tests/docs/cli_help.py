"""What every command says about itself; ``python -m tests.docs.cli_help`` puts it into the page.

Each command has one block on the page that begins with ``$ blockfold … --help``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from unittest.mock import patch

from typer.main import get_command

from blockfold.cli.app import app
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "cli.md"
BLOCK = re.compile(
    r"^```console\n\$ blockfold(?P<path>[a-z -]*?) --help\n(?P<help>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and group of the tree by its words; the root has none."""
    yield from _below((), get_command(app))


def help_of(path: tuple[str, ...]) -> str:
    """What ``blockfold … --help`` prints on a terminal of 80 columns."""
    shown = StringIO()
    with redirect_stdout(shown), patch.dict(os.environ, COLUMNS="80"):
        get_command(app).main([*path, "--help"], prog_name="blockfold", standalone_mode=False)
    return "".join(f"{line.rstrip()}\n" for line in shown.getvalue().strip().splitlines())


def documented() -> dict[tuple[str, ...], str]:
    """The help that the page shows, by command."""
    content = PAGE.read_text(encoding="utf-8")
    return {tuple(found["path"].split()): found["help"] for found in BLOCK.finditer(content)}


def _below(path: tuple[str, ...], command: object) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from _below((*path, name), child)


def _refresh() -> None:
    def fresh(found: re.Match[str]) -> str:
        words = found["path"]
        return f"```console\n$ blockfold{words} --help\n{help_of(tuple(words.split()))}```"

    PAGE.write_text(BLOCK.sub(fresh, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    missing = set(commands()) - documented().keys()
    for path in sorted(missing):
        sys.stdout.write(f"docs/cli.md has no block for: blockfold {' '.join(path)}\n")


if __name__ == "__main__":
    _refresh()
