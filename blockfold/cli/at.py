"""Points of the past on the command line: a number, a time, or ``snapshot:N``."""

from __future__ import annotations

from typing import Annotated

import typer

from blockfold.application.read import Reader
from blockfold.domain.point import parse_point

METAVAR = "N|TIME|snapshot:N"
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar=METAVAR,
        help="Right after block N, the newest block at a time, or snapshot N [default: head].",
    ),
]


def number_at(reader: Reader, machine: str, text: str) -> int:
    """The number of the block that a text means.

    Raises:
        Misconfigured: It is no number, time or snapshot.
        NotFound: There is no such machine, block or snapshot.
    """
    return reader.number_at(machine, parse_point(text))
