"""How the command line speaks: results on stdout, all else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
StackName = Annotated[
    str | None,
    typer.Option("--stack", help="Stack to use [default: $BLOCKFOLD_STACK, or the local one]."),
]
MachineId = Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's id.")]

HASH_CHARACTERS = 10


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a plain table; headers that end in ``#`` stand for one-word columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        right = header.endswith("#")
        table.add_column(
            header.removesuffix("#"),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="ellipsis" if right else "fold",
        )
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    Console().print(table)


def say(text: str) -> None:
    """Tell the person at the terminal something that is no result."""
    errors().print(text, markup=False, highlight=False, soft_wrap=True)


def counted(number: int, what: str) -> str:
    """A number with its noun: ``1 block``, ``2 blocks``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def errors() -> Console:
    """The console on stderr."""
    return Console(stderr=True)


def escape(text: str) -> str:
    """Text as it is, with control characters shown instead of obeyed."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown.replace("[", r"\[")


def progress() -> Progress:
    """A progress bar on stderr; silent where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def moment(milliseconds: int) -> str:
    """Milliseconds since 1970 UTC as RFC 3339."""
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def clock_time(milliseconds: int) -> str:
    """Milliseconds since 1970 UTC as a table shows them."""
    return moment(milliseconds)[:19].replace("T", " ")


def short(hash_: str) -> str:
    """The beginning of a hash."""
    return hash_[:HASH_CHARACTERS]
