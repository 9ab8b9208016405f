"""``blockfold delete``: remove one machine for good."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from blockfold.application.delete import DeletePlan, refuse_heirs
from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, say
from blockfold.cli.steps import Steps, paused, resumable, tables_needed
from blockfold.client import connect
from blockfold.domain.errors import Misconfigured, Refused


def delete(
    machine: MachineId,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="MACHINE", help="The id again: do not ask.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Delete a machine for good: its state, its blocks, its snapshots and its archive.

    Not while machines stand that were forked from it. The actions of all machines wait in the
    queue meanwhile. Actions that wait for this one begin it anew.
    """
    target = connect(stack)
    with tables_needed():
        deleter = target.deleter
        plan = deleter.plan(machine)
        if dry_run and json:
            print_json(asdict(plan))
            return
        if not json:
            _show(plan)
        if dry_run:
            return
        refuse_heirs(machine, plan.heirs)
        _check(machine, confirm, json=json)
        totals = {"rows": plan.rows, "blocks": plan.blocks, "objects": plan.objects}
        with (
            resumable(f"blockfold delete {machine}"),
            paused(target.intake),
            Steps(machine, totals, json=json) as steps,
        ):
            deleted = deleter.carry_out(plan, steps)
    if json:
        print_json(asdict(deleted))
        return
    say(
        f"{machine} is gone: {counted(deleted.rows, 'row')}, {counted(deleted.blocks, 'block')} "
        f"and {counted(deleted.objects, 'object')} deleted"
    )
    if deleted.late:
        say("the archiver was behind and may store blocks of it yet: run this again later")


def _show(plan: DeletePlan) -> None:
    begun = " (a deletion was begun)" if plan.begun else ""
    say(
        f"{plan.machine}{begun}: head {plan.head:,}, {counted(plan.blocks, 'block')} and "
        f"{counted(plan.rows, 'row')} in the tables, {counted(plan.objects, 'object')} with "
        f"{plan.bytes:,} bytes in the bucket"
    )
    for heir in plan.heirs:
        say(f"  {heir} was forked from it")


def _check(machine: str, confirm: str | None, *, json: bool) -> None:
    """Have the id typed.

    Raises:
        Misconfigured: Nobody can be asked.
        Refused: Another id was typed.
    """
    if confirm is None:
        if json or not sys.stdin.isatty():
            raise Misconfigured(
                "nobody is there to be asked", hint=f"add --confirm {machine} if you mean it"
            )
        confirm = typer.prompt("Type the machine's id to delete it", err=True)
    if confirm != machine:
        raise Refused(f"{confirm!r} is not {machine!r}: nothing was deleted")
