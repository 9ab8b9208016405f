"""``blockfold verify``: prove that log, state table and snapshots agree."""

from __future__ import annotations

import typer

from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, progress, say
from blockfold.client import connect


def verify(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Check that a machine's log, state table and snapshots agree.

    Folds the whole log from block 1: hash chain, body hashes, counts and digests. Reads every
    snapshot whole, and compares the state table key by key. Changes nothing and may run beside
    live traffic. Exits 1 and names what disagrees.
    """
    target = connect(stack)
    head = target.reader.head(machine)
    with progress() as bar:
        task = bar.add_task(f"verify {machine}", total=head.number)
        result = target.verifier.verify(machine, lambda _: bar.advance(task))
    if json:
        print_json(
            {
                "machine": machine,
                "ok": result.ok,
                "blocks": result.blocks,
                "actions": result.actions,
                "keys": result.keys,
                "snapshots": result.snapshots,
                "digest": result.digest,
                "findings": result.findings,
            }
        )
    elif result.ok:
        say(
            f"{machine}: {counted(result.blocks, 'block')} with "
            f"{counted(result.actions, 'action')}, {counted(result.keys, 'row')} and "
            f"{counted(result.snapshots, 'snapshot')} agree; digest {result.digest}"
        )
    else:
        say(f"{machine}: {counted(len(result.findings), 'disagreement')}")
        for finding in result.findings:
            say(f"  {finding}")
    if not result.ok:
        raise typer.Exit(1)
