"""``blockfold restore``: bring an old block back, in place or as another machine."""

from __future__ import annotations

from typing import Annotated

import typer

from blockfold.cli.output import AsJson, MachineId, StackName, print_json, say, short
from blockfold.client import connect
from blockfold.domain.errors import Misconfigured


def restore(
    machine: MachineId,
    block: Annotated[
        int | None, typer.Option("--block", metavar="N", help="The state right after block N.")
    ] = None,
    snapshot: Annotated[
        int | None, typer.Option("--snapshot", metavar="N", help="The snapshot of block N.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="T", help="The state at a time (RFC 3339).")
    ] = None,
    fork: Annotated[
        str | None, typer.Option("--as", metavar="M", help="Start machine M from it instead.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Bring an old state back as a new block.

    Restoring the block before that one undoes it. Nothing is rewritten: the blocks in between
    stay. Actions that are pushed meanwhile wait in the queue and come after it.
    """
    given = {"block": block, "snapshot": snapshot, "time": time}
    chosen = {name: value for name, value in given.items() if value is not None}
    if len(chosen) != 1:
        raise Misconfigured("say what to restore", hint="one of --block, --snapshot and --time")
    payload: dict[str, object] = {"machine": machine, **chosen}
    if fork is not None:
        payload["as"] = fork
    if dry_run:
        payload["dry_run"] = True
    answer = connect(stack).call("RestoreFunctionName", payload)
    if json:
        print_json(answer)
        return
    verb = "would bring" if dry_run else "brought"
    say(
        f"{verb} back block {answer['restored']} of {answer['source']} as block "
        f"{answer['number']} of {answer['machine']}: {answer['written']:,} keys written, "
        f"{answer['deleted']:,} deleted; digest {short(answer['digest'])}"
    )
    if not dry_run and fork is None:
        say(f"undo it with: blockfold restore {machine} --block {answer['number'] - 1}")
