"""``blockfold lint``: what in a machine's source may not be deterministic."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Annotated

import typer

from blockfold.cli.machine_class import load
from blockfold.cli.output import AsJson, counted, print_json, say
from blockfold.domain.errors import Misconfigured
from blockfold.domain.lint import Finding
from blockfold.domain.lint import lint as findings_in
from blockfold.domain.machine import Machine


def lint(
    machine: Annotated[
        str, typer.Argument(metavar="CLASS", help="module:Class or path/to/file.py:Class.")
    ],
    json: AsJson = False,
) -> None:
    """Warn of what may give another result the next time: clocks, chance, sets, I/O, globals.

    Reads the module of the class and those of the classes that it inherits from. Exits 1 if
    there is something. A line may say that it means it: `# allow[clock]: the reason`.
    """
    found = [
        (file, each)
        for file in _files(load(machine, Path.cwd()))
        for each in findings_in(file.read_text(encoding="utf-8"))
    ]
    if json:
        print_json([_as_json(file, each) for file, each in found])
    else:
        for file, each in found:
            sys.stdout.write(
                f"{_shown(file)}:{each.line}:{each.column}: [{each.rule}] {each.message}\n"
            )
        say(f"{machine}: {counted(len(found), 'finding') if found else 'nothing found'}")
    if found:
        raise typer.Exit(1)


def _files(machine: type[Machine]) -> list[Path]:
    """The files of a class and its bases, but for those of Blockfold itself."""
    classes = machine.__mro__[: machine.__mro__.index(Machine)]
    files: dict[Path, None] = {}
    for each in classes:
        try:
            files[Path(inspect.getfile(each))] = None
        except (OSError, TypeError) as error:
            raise Misconfigured(
                f"the source of {each.__qualname__} is not at hand: {error}",
                hint="check it where its file is",
            ) from error
    return list(files)


def _shown(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def _as_json(file: Path, each: Finding) -> dict[str, object]:
    return {
        "file": _shown(file),
        "line": each.line,
        "column": each.column,
        "rule": each.rule,
        "message": each.message,
    }
