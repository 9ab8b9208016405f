"""``blockfold state``: what a machine holds, now or at any block of the past."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from blockfold.cli.at import At, number_at
from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    counted,
    print_json,
    print_table,
    say,
    short,
)
from blockfold.client import connect
from blockfold.domain.errors import NotFound


def state(
    machine: MachineId,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Only this key.")] = None,
    prefix: Annotated[str, typer.Option(help="Only keys that start with this.")] = "",
    at: At = None,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Show a machine's state, now or at a block of the past.

    At the head it is read from the state table and what the log has beyond it; at a block of the
    past, from the nearest snapshot and the blocks after it. Reading one KEY of the past looks
    through those blocks newest first and reads of the snapshot only what holds the key.
    """
    reader = connect(stack).reader
    if at is None:
        view = reader.state(machine, key=key, prefix=prefix)
    else:
        number = number_at(reader, machine, at)
        view = reader.state_at(machine, number, key=key, prefix=prefix)
    if key is not None and key not in view.entries:
        raise NotFound(f"machine {machine!r} has no key {key!r} at block {view.number}")
    if json:
        print_json(
            {
                "machine": machine,
                "number": view.number,
                "digest": view.digest,
                "entries": {each: msgspec.Raw(data) for each, data in view.entries.items()},
            }
        )
    elif key is not None:
        sys.stdout.write(view.entries[key].decode() + "\n")
    else:
        print_table(("key", "value"), ((k, data.decode()) for k, data in view.entries.items()))
        keys = counted(len(view.entries), "key")
        say(f"{keys} at block {view.number}, digest {short(view.digest)}")
