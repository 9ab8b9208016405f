"""``blockfold push``: send actions to a machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from blockfold.application.push import check_actions, check_machine_id, pack, wait_until_done
from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, progress, say
from blockfold.client import connect
from blockfold.domain.errors import BlockfoldError, Misconfigured


def push(
    machine: MachineId,
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="JSON lines, one action each; - is stdin.")
    ] = "-",
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when the last action stands in a block.")
    ] = False,
    per_message: Annotated[
        int, typer.Option(min=1, max=10_000, help="Actions packed into one message.")
    ] = 1,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that --wait allows without a new block.")
    ] = 60.0,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Send actions to a machine, in order.

    Each line is {"type": str, "args": {…}, "id"?: str}. All lines are checked before the first
    is sent; what the machine makes of them stands in its blocks.
    """
    check_machine_id(machine)
    actions = check_actions(_lines(file))
    if not actions:
        raise Misconfigured(f"{file} holds no action", hint="write one JSON object a line")
    target = connect(stack)
    sent = messages = 0
    receipt = None
    with progress() as bar:
        task = bar.add_task(f"push to {machine}", total=len(actions))
        for body, count in pack((text for _, text in actions), per_message):
            try:
                receipt = target.queue.send(machine, body)
            except BlockfoldError as error:
                raise type(error)(
                    f"{error.message}; {counted(sent, 'action')} of {len(actions):,} were sent",
                    hint=f"look whether line {actions[sent][0]} arrived, then go on behind it",
                ) from error
            sent += count
            messages += 1
            bar.advance(task, count)
    assert receipt is not None
    answer: dict[str, object] = {
        "machine": machine,
        "actions": sent,
        "messages": messages,
        "last_message": receipt.message,
        "last_sequence": receipt.sequence,
    }
    if wait:
        adapters = target.adapters
        answer["number"] = wait_until_done(
            adapters.log, adapters.clock, machine, receipt, seconds=timeout
        )
    if json:
        print_json(answer)
    else:
        where = f"; machine {machine} stands at block {answer['number']}" if wait else ""
        say(f"sent {counted(sent, 'action')} in {counted(messages, 'message')}{where}")


def _lines(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"cannot read {file}: {error}", hint="write JSON lines in UTF-8"
        ) from error
    return text.split("\n")  # splitlines() would cut strings at U+2028 and its like
