"""``blockfold verify``: prove that log, state table and bucket agree."""

from __future__ import annotations

import typer

from blockfold.application.verify import MAX_FINDINGS
from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, progress, say
from blockfold.client import Stack, connect
from blockfold.domain.errors import Corrupted


def verify(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Check that a machine's log, state table and objects agree.

    Folds the whole log from block 1: hash chain, body hashes, counts and digests. Compares the
    state table key by key. Reads every object of the bucket, and every snapshot whole. Changes
    nothing and may run beside live traffic. Exits 1 and names what is wrong.
    """
    target = connect(stack)
    with progress() as bar:
        task = bar.add_task(f"verify {machine}", total=_blocks(target, machine))
        look = bar.add_task("objects", total=None)
        result = target.verifier.verify(
            machine, lambda _: bar.advance(task), lambda count: bar.advance(look, count)
        )
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
                "objects": result.objects,
                "findings": result.findings,
                "found": result.found,
            }
        )
    elif result.ok:
        say(
            f"{machine}: {counted(result.blocks, 'block')} with "
            f"{counted(result.actions, 'action')}, {counted(result.keys, 'row')} and "
            f"{counted(result.snapshots, 'snapshot')} agree; digest {result.digest}"
        )
    else:
        say(f"{machine}: {counted(len(result.found), 'disagreement')}")
        for finding in result.found[:MAX_FINDINGS]:
            say(f"  {finding}")
        if len(result.found) > MAX_FINDINGS:
            say(f"  … and {len(result.found) - MAX_FINDINGS:,} more: --json has all")
        if any(finding.repairable for finding in result.found):
            say(f"hint: `blockfold repair {machine}` heals what log and archive still have")
    if not result.ok:
        raise typer.Exit(1)


def _blocks(target: Stack, machine: str) -> int | None:
    """How many blocks there are to check; None if the newest cannot be read."""
    try:
        return target.reader.head(machine).number
    except Corrupted:
        return None
