"""``blockfold import``: start a machine from a state that comes from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated

import typer

from blockfold.adapters.disk_sort import DiskSort
from blockfold.application import import_lines
from blockfold.application.import_lines import Entry
from blockfold.application.push import check_machine_id
from blockfold.bootstrap import importer
from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    counted,
    print_json,
    progress,
    say,
    short,
)
from blockfold.cli.restore import counts
from blockfold.cli.restoring import Follower
from blockfold.client import Stack, connect
from blockfold.domain.errors import Misconfigured

STDIN = "-"
STEP = 1_000
"""Entries between two steps of the progress bar."""


class ImportFormat(StrEnum):
    """How a state is read."""

    JSONL = "jsonl"
    JSON = "json"


def import_(
    machine: MachineId,
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="The state; - is stdin.")] = STDIN,
    format_: Annotated[
        ImportFormat,
        typer.Option("--format", help='Lines of {"key", "value"}, or one JSON object.'),
    ] = ImportFormat.JSONL,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Start a machine from a state, as its block 1.

    Lines may come in any order and be more than memory holds; a JSON object is read whole. All
    is checked before anything is stored. If it is interrupted, run it again. The machine must not
    exist.
    """
    check_machine_id(machine)
    target = connect(stack)
    key, rows = _upload(target, machine, file, format_)
    payload = {"machine": machine, "import": key}
    answer = Follower(target, machine, json=json).carry_out(payload)
    if json:
        print_json(answer)
        return
    say(
        f"machine {machine} starts from {counted(rows, 'key')} as its block 1: "
        f"{counts(answer)}; digest {short(answer['digest'])}"
    )


def _upload(target: Stack, machine: str, file: str, format_: ImportFormat) -> tuple[str, int]:
    with (
        _opened(file) as stream,
        TemporaryDirectory(prefix="blockfold-") as folder,
        progress() as bar,
    ):
        task = bar.add_task(f"read {file}", total=None)

        def watched(entries: Iterable[Entry]) -> Iterator[Entry]:
            for number, entry in enumerate(entries, start=1):
                yield entry
                if number % STEP == 0:
                    bar.update(task, completed=number)

        found = (
            import_lines.lines(stream)
            if format_ is ImportFormat.JSONL
            else import_lines.members(stream.read())
        )
        unit = "line" if format_ is ImportFormat.JSONL else "entry"
        uploaded = importer(target.adapters).upload(
            machine, watched(found), DiskSort(Path(folder)), unit=unit
        )
    return uploaded.key, uploaded.rows


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening is translated
    except OSError as error:
        raise Misconfigured(f"cannot read {file}: {error}") from error
    with stream:
        yield stream
