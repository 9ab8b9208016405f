"""``blockfold snapshots``, ``dump`` and ``dumper``: the snapshots and what makes them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    clock_time,
    moment,
    print_json,
    print_table,
    say,
    short,
)
from blockfold.client import connect
from blockfold.domain.errors import Misconfigured
from blockfold.domain.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Decide when a machine's state is dumped.")


def snapshots(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """List a machine's snapshots."""
    found = list(connect(stack).reader.manifests(machine))
    if json:
        print_json([_as_json(manifest) for manifest in found])
        return
    print_table(
        ("block#", "time#", "rows#", "bytes#", "hash#", "digest#"),
        (
            (
                each.number,
                clock_time(each.time),
                f"{each.rows:,}",
                f"{each.size:,}",
                short(each.hash),
                short(each.digest),
            )
            for each in found
        ),
    )


def dump(
    machine: MachineId,
    at: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of block N [default: head].")
    ] = None,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Make a snapshot now, of the head or of exactly one past block."""
    _command(stack, {"machine": machine, "command": "dump", "at": at}, json=json)


@app.command()
def start(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Run with the stored count."""
    _command(stack, {"machine": machine, "command": "start"}, json=json)


@app.command()
def stop(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Stop, and keep the count for start."""
    _command(stack, {"machine": machine, "command": "stop"}, json=json)


@app.command()
def set_count(
    machine: MachineId,
    count: Annotated[str, typer.Argument(metavar="N|none", help="Every N-th block, or none.")],
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Dump every N-th block from now on, also if stopped.

    `none` forgets the count and is off.
    """
    payload: dict[str, object] = {"machine": machine, "command": "set_count"}
    try:
        payload["count"] = None if count.lower() == "none" else int(count)
    except ValueError:
        raise Misconfigured(f"{count!r} is no count", hint="a whole number, or none") from None
    _command(stack, payload, json=json)


@app.command()
def status(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Show count, last snapshot and the next due block."""
    _command(stack, {"machine": machine, "command": "status"}, json=json)


def _command(stack: str | None, payload: dict[str, object], *, json: bool) -> None:
    answer: dict[str, Any] = connect(stack).call("DumperFunctionName", payload)
    if json:
        print_json(answer)
    else:
        count = "no count" if answer["count"] is None else f"every {answer['count']} blocks"
        say(
            f"{answer['machine']}: {'running' if answer['running'] else 'off'}, {count}; "
            f"last snapshot {answer['last_snapshot'] or 'none'}, "
            f"next due {answer['next_due'] or 'none'}"
        )
        if reason := answer.get("reason"):
            say(f"nothing changed: {reason}")


def _as_json(manifest: Manifest) -> dict[str, object]:
    return {
        "number": manifest.number,
        "hash": manifest.hash,
        "digest": manifest.digest,
        "rows": manifest.rows,
        "bytes": manifest.size,
        "time": moment(manifest.time),
        "key": manifest.key,
    }
