"""``blockfold snapshots``, ``dump`` and ``dumper``: the snapshots and what makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from blockfold.cli import amounts
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
    """Run with the stored count and policy."""
    _command(stack, {"machine": machine, "command": "start"}, json=json)


@app.command()
def stop(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Stop, and keep count and policy for start."""
    _command(stack, {"machine": machine, "command": "stop"}, json=json)


@app.command()
def set_count(
    machine: MachineId,
    count: Annotated[str, typer.Argument(metavar="N|none", help="Every N-th block, or none.")],
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Dump every N-th block from now on, also if stopped.

    `none` forgets the count, and is off unless there is a policy.
    """
    payload: dict[str, object] = {"machine": machine, "command": "set_count"}
    try:
        payload["count"] = None if count.lower() == "none" else int(count)
    except ValueError:
        raise Misconfigured(f"{count!r} is no count", hint="a whole number, or none") from None
    _command(stack, payload, json=json)


@app.command()
def set_policy(
    machine: MachineId,
    quiet: Annotated[
        str | None, typer.Option(metavar="TIME", help="After so long without a block: 30s, 5m.")
    ] = None,
    quiet_most: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --quiet, after so long of steady traffic "
            "[default: ten times --quiet, 10m at least].",
        ),
    ] = None,
    minutes: Annotated[
        str | None,
        typer.Option(metavar="N", help="When the oldest block without one is N minutes old."),
    ] = None,
    bytes: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option(metavar="SIZE", help="After so much in blocks: 500kB, 10MB.")
    ] = None,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Keep the newest snapshot fresh from now on, also if stopped.

    Sets what is given and leaves the rest; `none` takes one back. The count stays
    as it is.
    """
    payload: dict[str, object] = {"machine": machine, "command": "set_policy"}
    for name, text, read in (
        ("quiet", quiet, amounts.seconds),
        ("quiet_most", quiet_most, amounts.seconds),
        ("minutes", minutes, amounts.minutes),
        ("bytes", bytes, amounts.size),
    ):
        if text is not None:
            payload[name] = read(text)
    _command(stack, payload, json=json)


@app.command()
def status(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Show count and policy, last snapshot and the next due block."""
    _command(stack, {"machine": machine, "command": "status"}, json=json)


def _command(stack: str | None, payload: dict[str, object], *, json: bool) -> None:
    answer: dict[str, Any] = connect(stack).call("DumperFunctionName", payload)
    if json:
        print_json(answer)
    else:
        count = "no count" if answer["count"] is None else f"every {answer['count']} blocks"
        promises = "".join(f", {each}" for each in _promises(answer.get("policy", {})))
        say(
            f"{answer['machine']}: {'running' if answer['running'] else 'off'}, {count}{promises}; "
            f"last snapshot {answer['last_snapshot'] or 'none'}, "
            f"next due {answer['next_due'] or 'none'}"
        )
        if reason := answer.get("reason"):
            say(f"nothing changed: {reason}")


def _promises(policy: dict[str, int]) -> Iterator[str]:
    """A policy in words."""
    if "quiet" in policy:
        yield (
            f"after {amounts.in_seconds(policy['quiet'])} of silence or "
            f"{amounts.in_seconds(policy['quiet_most'])} of traffic"
        )
    if "minutes" in policy:
        yield f"every {amounts.in_seconds(60 * policy['minutes'])}"
    if "bytes" in policy:
        yield f"every {amounts.in_bytes(policy['bytes'])}"


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
