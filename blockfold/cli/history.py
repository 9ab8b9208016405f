"""``blockfold history``: each value that a key had."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from blockfold.application.key_history import Version
from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    clock_time,
    counted,
    moment,
    print_json,
    print_table,
    say,
)
from blockfold.client import connect


def history(
    machine: MachineId,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key.")],
    first: Annotated[int, typer.Option("--from", metavar="A", min=1, help="First block.")] = 1,
    last: Annotated[
        int | None, typer.Option("--to", metavar="B", min=1, help="Last block [default: head].")
    ] = None,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Show each value that a key was given, newest last.

    Reads the log, restores included, and runs no user code. Which of a block's actions it was is
    certain if the block applied only one; `blockfold frames` tells for any.
    """
    found = connect(stack).reader.history(machine, key, first, last)
    if json:
        print_json([_as_json(each) for each in found])
        return
    rows = [
        (
            each.number,
            clock_time(each.time),
            "deleted" if each.value is None else each.value.decode(),
            _cause(each),
        )
        for each in found
    ]
    print_table(("block#", "time#", "value", "by"), rows)
    say(f"{counted(len(rows), 'change')} of key {key!r}")


def _as_json(version: Version) -> dict[str, object]:
    value: dict[str, object] = {"deleted": True}
    if version.value is not None:
        value = {"value": msgspec.Raw(version.value)}
    action = None
    if len(version.actions) == 1:
        (only,) = version.actions
        action = {"id": only.id, "type": only.record.type, "args": only.record.args}
    return {
        "number": version.number,
        "time": moment(version.time),
        **value,
        "action": action,
        "applied": len(version.actions),
        **({} if version.origin is None else {"origin": version.origin}),
    }


def _cause(version: Version) -> str:
    if (origin := version.origin) is not None:
        return origin.text
    if len(version.actions) == 1:
        record = version.actions[0].record
        return f"{record.type} {bytes(record.args).decode()}"
    return f"one of {len(version.actions):,} actions"
