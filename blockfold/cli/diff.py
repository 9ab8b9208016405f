"""``blockfold diff``: what changed between two blocks."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from blockfold.cli.at import number_at
from blockfold.cli.output import AsJson, MachineId, StackName, print_json, print_table, say
from blockfold.client import connect

HELP = "A block's number, a time, or snapshot:N; 0 is the empty state."


def diff(
    machine: MachineId,
    a: Annotated[str, typer.Argument(metavar="A", help=HELP)],
    b: Annotated[str, typer.Argument(metavar="B", help=HELP)],
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Show what differs between the states after blocks A and B.

    The work grows with what changed between them, not with the states.
    """
    reader = connect(stack).reader
    old, new = number_at(reader, machine, a), number_at(reader, machine, b)
    found = reader.difference(machine, old, new)
    if json:
        print_json(
            {
                "added": {key: msgspec.Raw(data) for key, data in found.added.items()},
                "removed": {key: msgspec.Raw(data) for key, data in found.removed.items()},
                "changed": {
                    key: {"from": msgspec.Raw(old), "to": msgspec.Raw(new)}
                    for key, (old, new) in found.changed.items()
                },
            }
        )
        return
    rows = [("+", key, data.decode()) for key, data in found.added.items()]
    rows += [("-", key, data.decode()) for key, data in found.removed.items()]
    rows += [("~", key, f"{x.decode()} → {y.decode()}") for key, (x, y) in found.changed.items()]
    rows.sort(key=lambda row: row[1])
    print_table(("", "key", "value"), rows)
    say(
        f"{len(found.added):,} added, {len(found.removed):,} removed, "
        f"{len(found.changed):,} changed from block {old} to {new}"
    )
