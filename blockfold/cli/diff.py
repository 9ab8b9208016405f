"""``blockfold diff``: what changed between two blocks."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from blockfold.cli.output import AsJson, MachineId, StackName, print_json, print_table, say
from blockfold.client import connect

Number = Annotated[int, typer.Argument(min=0, help="A block's number; 0 is the empty state.")]


def diff(
    machine: MachineId, a: Number, b: Number, stack: StackName = None, json: AsJson = False
) -> None:
    """Show what differs between the states after blocks A and B."""
    found = connect(stack).reader.difference(machine, a, b)
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
    rows += [
        ("~", key, f"{old.decode()} → {new.decode()}") for key, (old, new) in found.changed.items()
    ]
    rows.sort(key=lambda row: row[1])
    print_table(("", "key", "value"), rows)
    say(
        f"{len(found.added):,} added, {len(found.removed):,} removed, "
        f"{len(found.changed):,} changed from block {a} to {b}"
    )
