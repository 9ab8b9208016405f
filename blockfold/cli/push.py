"""``blockfold push``: send actions to a machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from blockfold.application.push import check_machine_id, read_actions
from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, progress, say
from blockfold.client import connect
from blockfold.domain.action import Action
from blockfold.domain.block import OUTCOMES, Outcome
from blockfold.domain.errors import BlockfoldError, LimitExceeded, Misconfigured
from blockfold.producer import Producer, Pushed
from blockfold.producer.bounds import MAX_ACTIONS
from blockfold.producer.parcel import text_of


def push(
    machine: MachineId,
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="JSON lines, one action each; - is stdin.")
    ] = "-",
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when the last action stands in a block.")
    ] = False,
    per_message: Annotated[
        int, typer.Option(min=1, max=MAX_ACTIONS, help="Most actions packed into one message.")
    ] = 1_000,
    timeout: Annotated[
        float,
        typer.Option(min=1, help="Seconds without an answer of the queue, or a new block."),
    ] = 60.0,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Send actions to a machine, in order.

    Each line is {"type": str, "args": {…}, "id"?: str}. All lines are checked before the first
    is sent; what the machine makes of them stands in its blocks.
    """
    check_machine_id(machine)
    actions = read_actions(_lines(file))
    if not actions:
        raise Misconfigured(f"{file} holds no action", hint="write one JSON object a line")
    _check_sizes(actions)
    target = connect(stack)
    with progress() as bar:
        task = bar.add_task(f"push to {machine}", total=len(actions))
        producer = target.producer(
            track=wait,
            actions=per_message,
            patience=timeout,
            acknowledged=lambda _, count: bar.advance(task, count),
        )
        try:
            last = _send(producer, machine, actions, timeout)
            found = producer.wait(seconds=None, still=timeout) if wait else []
        finally:
            producer.abandon()  # all is sent, or whoever calls gets told what is not
    assert last.receipt is not None
    answer: dict[str, object] = {
        "machine": machine,
        "actions": len(actions),
        "messages": last.count,
        "last_message": last.receipt.message,
        "last_sequence": last.receipt.sequence,
    }
    where = ""
    if wait:
        counts = {each: sum(one.outcome == each for one in found) for each in OUTCOMES}
        answer |= {"number": found[-1].number, "outcomes": counts}
        where = f"; machine {machine} stands at block {found[-1].number}: {_told(counts)}"
    if json:
        print_json(answer)
    else:
        say(f"sent {counted(len(actions), 'action')} in {counted(last.count, 'message')}{where}")


def _send(
    producer: Producer, machine: str, actions: list[tuple[int, Action]], timeout: float
) -> Pushed:
    """Have all actions in the queue; the last one."""
    try:
        for _, action in actions:
            last = producer.push_action(machine, action)
        producer.flush(still=timeout)
    except BlockfoldError as error:
        stats = producer.stats
        sent = stats.actions - stats.waiting
        cause = error.__cause__
        why = f"{cause.hint}; " if isinstance(cause, BlockfoldError) and cause.hint else ""
        raise type(error)(
            f"{error.message}; {counted(sent, 'action')} of {len(actions):,} were sent",
            hint=f"{why}look whether line {actions[sent][0]} and those packed with it arrived, "
            "then go on behind them",
        ) from error
    return last


def _check_sizes(actions: list[tuple[int, Action]]) -> None:
    for number, action in actions:
        try:
            text_of(action)
        except LimitExceeded as error:
            raise LimitExceeded(f"line {number}: {error.message}", hint=error.hint) from error


def _told(counts: dict[Outcome, int]) -> str:
    return ", ".join(f"{count:,} {each}" for each, count in counts.items() if count)


def _lines(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"cannot read {file}: {error}", hint="write JSON lines in UTF-8"
        ) from error
    return text.split("\n")  # splitlines() would cut strings at U+2028 and its like
