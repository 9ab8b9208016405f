"""``blockfold blocks`` and ``block``: the log."""

from __future__ import annotations

from typing import Annotated

import msgspec
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
from blockfold.domain.block import Block


def blocks(
    machine: MachineId,
    first: Annotated[int, typer.Option("--from", metavar="A", min=1, help="First block.")] = 1,
    last: Annotated[
        int | None, typer.Option("--to", metavar="B", min=1, help="Last block [default: head].")
    ] = None,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """List a machine's blocks, all of them by default."""
    found = connect(stack).reader.blocks(machine, first, last)
    if json:
        print_json([summary(block) for block in found])
        return
    print_table(
        ("block#", "time#", "actions#", "applied#", "changes#", "hash#", "origin"),
        (
            (
                block.number,
                clock_time(block.header.time),
                block.actions,
                block.outcomes["applied"],
                block.header.changes,
                short(block.hash),
                origin_text(block),
            )
            for block in found
        ),
    )


def block(
    machine: MachineId,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="The block's number.")],
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Show one block: its actions, their outcomes and changes."""
    found = connect(stack).reader.block(machine, number)
    detail = {**summary(found), "actions": actions(found), "changes": changes(found)}
    if json:
        print_json(detail)
        return
    say(f"block {number} of {machine}, {moment(found.header.time)}")
    say(f"hash   {found.hash}\nparent {found.header.parent}\ndigest {found.header.digest}\n")
    if found.body.origin is not None:
        say(f"a {origin_text(found)}: its state is that of snapshot {found.body.origin.manifest}")
        return
    print_table(
        ("type", "arguments", "outcome", "reason"),
        (
            (
                record.type or "",
                bytes(record.args).decode() if record.raw is None else record.raw,
                record.outcome,
                record.reason or "",
            )
            for _, _, record in found.body.actions
        ),
    )
    say("")
    print_table(
        ("changed key", "value"),
        (
            (key, "deleted" if data is None else data.decode())
            for key, data in sorted(found.body.changes.items())
        ),
    )


def summary(block: Block) -> dict[str, object]:
    """A block in one line of JSON."""
    return {
        "number": block.number,
        "hash": block.hash,
        "parent": block.header.parent,
        "digest": block.header.digest,
        "time": moment(block.header.time),
        "actions": block.actions,
        "outcomes": block.outcomes,
        "changes": block.header.changes,
        **({} if block.body.origin is None else {"origin": block.body.origin}),
    }


def origin_text(block: Block) -> str:
    """Where a restore or fork block brings its state from; empty for any other."""
    origin = block.body.origin
    if origin is None:
        return ""
    return origin.text


def actions(block: Block) -> list[dict[str, object]]:
    """A block's actions as JSON, in order."""
    return [
        {
            "id": message.action_id(index),
            "type": record.type,
            "args": record.args,
            "sender": message.sender,
            "time": moment(message.time),
            "outcome": record.outcome,
            "reason": record.reason,
            **({} if record.raw is None else {"raw": record.raw}),
        }
        for message, index, record in block.body.actions
    ]


def changes(block: Block) -> list[dict[str, object]]:
    """A block's net changes as JSON, in key order."""
    return [
        {"key": key, "deleted": True} if data is None else {"key": key, "value": msgspec.Raw(data)}
        for key, data in sorted(block.body.changes.items())
    ]
