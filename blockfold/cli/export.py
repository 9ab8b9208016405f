"""``blockfold export``: a whole state as a file for other programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.progress import Progress, TaskID

from blockfold.adapters import export_formats
from blockfold.adapters.export_formats import Format
from blockfold.adapters.new_file import new_file
from blockfold.cli.at import At, number_at
from blockfold.cli.output import MachineId, StackName, counted, progress, say, short
from blockfold.client import connect
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Misconfigured

STDOUT = "-"
STEP = 1_000
"""Entries between two steps of the progress bar."""


def export(
    machine: MachineId,
    at: At = None,
    format_: Annotated[
        Format, typer.Option("--format", help="How to write it; parquet needs pyarrow.")
    ] = Format.JSONL,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="Where to; - is stdout.")
    ] = STDOUT,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    stack: StackName = None,
) -> None:
    """Write a machine's whole state in key order, now or at a block of the past.

    What is written is held against the block's digest. FILE appears only when it is complete; on
    stdout, exit code 0 says that it is.
    """
    export_formats.check(format_)
    if output == STDOUT and format_ is Format.PARQUET and sys.stdout.isatty():
        raise Misconfigured("parquet is binary and stdout is a terminal", hint="name a --output")
    target = connect(stack)
    number = target.reader.head(machine).number
    if at is not None:
        number = number_at(target.reader, machine, at)
    with _sink(output, force=force) as stream, progress() as bar:
        found = target.exporter.open(machine, number)
        task = bar.add_task(f"export {machine}", total=found.head.keys)
        entries = _watched(found.entries, bar, task)
        export_formats.write(format_, found.head, entries, stream)
        stream.flush()
    where = "" if output == STDOUT else f" to {output}"
    say(
        f"wrote {counted(found.head.keys, 'key')} of {machine} at block {number}{where}; "
        f"digest {short(found.head.digest)}"
    )


def _sink(output: str, *, force: bool) -> AbstractContextManager[IO[bytes]]:
    if output == STDOUT:
        return nullcontext(sys.stdout.buffer)
    return new_file(Path(output), force=force)


def _watched(
    entries: Iterator[tuple[str, Canonical]], bar: Progress, task: TaskID
) -> Iterator[tuple[str, Canonical]]:
    for count, entry in enumerate(entries, start=1):
        yield entry
        if count % STEP == 0:
            bar.update(task, completed=count)
