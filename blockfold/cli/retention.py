"""``blockfold retention``: what is kept of a machine's past."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, say
from blockfold.client import connect
from blockfold.domain.errors import Misconfigured
from blockfold.domain.retention import format_thin, parse_thin

Number = "N|none"


def retention(
    machine: MachineId,
    snapshots: Annotated[
        str | None,
        typer.Option(metavar=Number, help="Keep the newest N snapshots; none keeps all."),
    ] = None,
    thin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EVERY/SPAN",
            help="Of the older ones, keep one in EVERY for SPAN, such as 1d/30d. May be repeated.",
        ),
    ] = None,
    blocks: Annotated[
        str | None,
        typer.Option(metavar=Number, help="Keep the newest N blocks in the table; none: all."),
    ] = None,
    days: Annotated[
        str | None,
        typer.Option(metavar=Number, help="Keep blocks in the table for N days; none: for ever."),
    ] = None,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep everything again.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Show or change what is kept of a machine's past.

    What is not named stays as it is. Every block can be read for ever, also without a snapshot:
    blocks that leave the table stand in the archive.
    """
    changes: dict[str, object] = {
        name: _number(name, text)
        for name, text in (("snapshots", snapshots), ("blocks", blocks), ("days", days))
        if text is not None
    }
    if thin:
        changes["thin"] = _tiers(thin)
    if keep_all and changes:
        raise Misconfigured("--keep-all keeps everything", hint="leave the other options out")
    if keep_all:
        changes = {"snapshots": None, "thin": None, "blocks": None, "days": None}
    payload = {"machine": machine, "command": "set_retention" if changes else "status", **changes}
    answer: dict[str, Any] = connect(stack).call("PrunerFunctionName", payload)
    if json:
        print_json(answer)
        return
    say(f"{machine}: {_snapshots(answer)}; {_blocks(answer)}")
    say(
        f"{counted(answer['stored_snapshots'], 'snapshot')} of {counted(answer['head'], 'block')}; "
        f"archived up to {answer['archived']:,}, out of the table up to {answer['pruned']:,}"
    )


def _number(name: str, text: str) -> int | None:
    if text.lower() == "none":
        return None
    if not (text.isascii() and text.isdigit()):
        raise Misconfigured(f"--{name} {text!r} is no number", hint="a whole number, or none")
    return int(text)


def _tiers(texts: list[str]) -> list[str] | None:
    if [text.lower() for text in texts] == ["none"]:
        return None
    return [format_thin(parse_thin(text)) for text in texts]


def _snapshots(answer: dict[str, Any]) -> str:
    if answer["snapshots"] is None:
        return "all snapshots are kept"
    tiers = "".join(
        f", and one in {every} for {span}"
        for every, _, span in (tier.partition("/") for tier in answer["thin"])
    )
    return f"the newest {counted(answer['snapshots'], 'snapshot')} kept{tiers}"


def _blocks(answer: dict[str, Any]) -> str:
    limits = []
    if answer["blocks"] is not None:
        limits.append(f"the newest {answer['blocks']:,}")
    if answer["days"] is not None:
        limits.append(f"those of {counted(answer['days'], 'day')}")
    return f"of the blocks, {' and '.join(limits) or 'all'} in the table"
