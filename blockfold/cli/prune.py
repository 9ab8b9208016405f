"""``blockfold prune``: let go of what retention does not keep, and delete garbage."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from blockfold.cli.output import AsJson, MachineId, StackName, print_json, print_table, say
from blockfold.client import connect

SHOWN = 8
"""So many numbers of snapshots are shown."""

OBJECTS = {
    "copies": "manifests removed before",
    "runs": "runs that nothing names",
    "segments": "segments held by others",
    "bodies": "bodies that no block needs",
}


def prune(
    machine: MachineId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Let go of what retention does not keep, and delete what nothing needs.

    The stack does so by itself once a day. `blockfold retention` says what is kept.
    """
    payload = {"machine": machine, "command": "prune", "dry_run": dry_run}
    answer: dict[str, Any] = connect(stack).call("PrunerFunctionName", payload)
    if json:
        print_json(answer)
        return
    if rows := [row for row in _rows(answer) if row[1] != "0"]:
        print_table(("", "number#", "which"), rows)
    freed = f"{answer['bytes']:,} bytes of the bucket {'would be freed' if dry_run else 'freed'}"
    say(f"{machine}: {freed if rows else 'nothing to prune'}; {answer['reason']}")
    if dry_run and answer["proof"] is not None:
        say(f"before blocks go, snapshot {answer['proof']} is read whole")
    for note in answer["notes"]:
        say(note)


def _rows(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    snapshots = answer["snapshots"]
    shown = ", ".join(str(number) for number in snapshots[:SHOWN])
    blocks = f"{answer['first']} to {answer['last']}" if answer["blocks"] else ""
    return [
        ("snapshots", f"{len(snapshots):,}", shown + (" …" if len(snapshots) > SHOWN else "")),
        ("blocks out of the table", f"{answer['blocks']:,}", blocks),
        *((what, f"{answer[name]:,}", "") for name, what in OBJECTS.items()),
    ]
