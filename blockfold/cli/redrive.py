"""``blockfold redrive``: bring dead letters back, each of their actions once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from blockfold.application.push import check_machine_id
from blockfold.application.redrive import HELD_SECONDS
from blockfold.application.redriven import Redriven
from blockfold.cli.output import (
    AsJson,
    StackName,
    clock_time,
    counted,
    moment,
    print_json,
    print_table,
    say,
)
from blockfold.cli.steps import Steps, resumable, tables_needed
from blockfold.client import connect
from blockfold.domain.errors import NotFound

COMMAND = "blockfold redrive"

SHOWN = 10
"""Letters of a machine that SQS shows at most before they are deleted."""


def redrive(
    machine: Annotated[
        str | None, typer.Option("--machine", metavar="ID", help="Only this machine's messages.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Most messages to deal with.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Bring messages of the dead-letter queue back, each of their actions exactly once.

    What blocks hold already is not sent again, but removed. The rest is sent in your name,
    behind what came later: the order of the machine is broken. Running it again, or twice at the
    same time, is safe. Exits 1 and says why if a message had to be left.
    """
    if machine is not None:
        check_machine_id(machine)
    redriver = connect(stack).redriver
    with (
        tables_needed(),
        resumable(COMMAND),
        Steps(machine or "dead letters", json=json) as steps,
    ):
        do = redriver.plan if dry_run else redriver.carry_out
        found = do(machine, limit=limit, progress=steps)
    if machine is not None and not found:
        raise NotFound(
            f"the dead-letter queue has no message of machine {machine!r}",
            hint="`blockfold redrive --dry-run` shows all; what somebody else received is hidden "
            f"for up to {HELD_SECONDS // 60} minutes",
        )
    if json:
        print_json({"dry_run": dry_run, "messages": [_as_json(each) for each in found]})
    else:
        _show(found, dry_run=dry_run)
    if not dry_run and any(each.left for each in found):
        raise typer.Exit(1)


def _as_json(each: Redriven) -> dict[str, object]:
    return {
        "machine": each.machine,
        "message": each.message,
        "sent": moment(each.sent),
        "producer": each.producer or None,
        "count": each.count or None,
        "standing": each.standing,
        "actions": each.actions,
        "in_blocks": each.held,
        "first_block": each.blocks[0] if each.blocks else None,
        "last_block": each.blocks[1] if each.blocks else None,
        "messages": each.messages,
        "left": each.left or None,
    }


def _show(found: Sequence[Redriven], *, dry_run: bool) -> None:
    if not found:
        say(
            "the dead-letter queue shows no message: nothing was given up "
            "(what somebody else received is hidden for some minutes)"
        )
        return
    print_table(
        ("machine", "message", "sent", "actions#", "in blocks", "what"),
        (
            (
                each.machine,
                each.message + (f" {each.producer}/{each.count}" if each.producer else ""),
                clock_time(each.sent),
                f"{each.actions:,}",
                _where(each),
                _what(each, dry_run=dry_run),
            )
            for each in found
        ),
    )
    for each in found:
        if each.left:
            say(f"{each.machine}: {each.message} is left: {each.left}")
    removed = sum(not each.left and not each.messages for each in found)
    sent = [each for each in found if not each.left and each.messages]
    actions = sum(each.actions - each.held for each in sent)
    if removed:
        say(f"{'to remove' if dry_run else 'removed'}, in blocks: {counted(removed, 'message')}")
    if sent:
        say(
            f"{'to send' if dry_run else 'sent'} again: {counted(actions, 'action')} of "
            f"{counted(len(sent), 'message')}; they come behind what came later, and their blocks "
            "name you as their sender"
        )
    if dry_run and _may_hide_more(found):
        say(f"SQS shows at most {SHOWN} messages of a machine: there may be more behind them")


def _where(each: Redriven) -> str:
    if each.blocks is None:
        return "0" if each.standing else "?"
    first, last = each.blocks
    return f"{each.held:,} in {first}" + (f" to {last}" if last != first else "")


def _what(each: Redriven, *, dry_run: bool) -> str:
    if each.left:
        return "left"
    if each.standing == "done":
        return "remove" if dry_run else "removed"
    rest = " the rest" if each.standing == "partly done" else ""
    return f"send{rest}" if dry_run else f"sent{rest}"


def _may_hide_more(found: Sequence[Redriven]) -> bool:
    machines = [each.machine for each in found]
    return any(machines.count(machine) >= SHOWN for machine in set(machines))
