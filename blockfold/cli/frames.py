"""``blockfold frames``: execute one block again, action by action."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Annotated

import msgspec
import typer

from blockfold.cli.machine_class import machine_class
from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    counted,
    moment,
    print_json,
    print_table,
    say,
    short,
)
from blockfold.client import connect
from blockfold.domain.canonical import Canonical
from blockfold.domain.frames import Frame, Rerun


def frames(
    machine: MachineId,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="The block's number.")],
    code: Annotated[
        str | None,
        typer.Option(
            "--machine",
            metavar="CLASS",
            help="module:Class or path/to/file.py:Class [default: that of the local stack].",
        ),
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Show the whole state after each action.")
    ] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Execute a block again, action by action, and check what comes out.

    Runs the machine class here, on the state before the block, and changes nothing. Exits 1 if
    outcomes, changes, events or digest are not those that were recorded, and says which.
    """
    target = connect(stack)
    target.reader.block(machine, number)
    done = target.stepper.step(machine, number, machine_class(code, target)())
    states = target.stepper.states(done) if state else None
    if json:
        print_json(_as_json(done, states))
    else:
        _show(done, states)
    if done.differences:
        raise typer.Exit(1)


def _show(done: Rerun, states: Iterator[dict[str, Canonical]] | None) -> None:
    block = done.block
    name = f"block {block.number} of {block.machine}"
    if (origin := block.body.origin) is not None:
        say(f"{name} executes nothing: it is a {origin.text}")
        return
    if states is None:
        rows = [row for frame in done.frames for row in _rows(frame)]
        print_table(("#", "action / changed key", "outcome / value"), rows)
    else:
        for frame, after in zip(done.frames, states, strict=True):
            say(f"\nafter action {frame.position}, {_action(frame)}: {frame.found.outcome}")
            print_table(("key", "value"), ((key, value.decode()) for key, value in after.items()))
    for remark in done.remarks:
        say(f"note: {remark}")
    if not done.differences:
        say(
            f"{name}: {counted(len(done.frames), 'action')} of {done.again.header.code} came out "
            f"as recorded; digest {short(block.header.digest)}"
        )
        return
    say(f"{name}: {done.again.header.code} gives something else than was recorded")
    for difference in done.differences:
        say(f"  {difference}")


def _rows(frame: Frame) -> Iterator[tuple[object, ...]]:
    """A frame as rows: its action, then each key that it changed."""
    yield frame.position, _action(frame), _outcome(frame)
    for key, value in frame.changes.items():
        yield "", f"  {key}", "  deleted" if value is None else f"  {value.decode()}"


def _action(frame: Frame) -> str:
    record = frame.found
    if record.raw is not None:
        return record.raw
    return f"{record.type} {bytes(record.args).decode()}"


def _outcome(frame: Frame) -> str:
    reason = "" if frame.found.reason is None else f": {frame.found.reason}"
    return f"{'' if frame.agrees else '! '}{frame.found.outcome}{reason}"


def _as_json(done: Rerun, states: Iterator[dict[str, Canonical]] | None) -> dict[str, object]:
    block = done.block
    every = repeat(None) if states is None else states
    return {
        "machine": block.machine,
        "number": block.number,
        "agrees": not done.differences,
        "code": done.again.header.code,
        "digest": done.again.header.digest,
        "recorded": {"code": block.header.code, "digest": block.header.digest},
        "frames": [_frame(frame, after) for frame, after in zip(done.frames, every, strict=False)],
        "differences": done.differences,
        "remarks": done.remarks,
    }


def _frame(frame: Frame, state: dict[str, Canonical] | None) -> dict[str, object]:
    record = frame.found
    found: dict[str, object] = {
        "position": frame.position,
        "id": frame.id,
        "type": record.type,
        "args": record.args,
        "sender": frame.sender,
        "time": moment(frame.time),
        "outcome": record.outcome,
        "reason": record.reason,
        "recorded": {"outcome": frame.recorded.outcome, "reason": frame.recorded.reason},
        "changes": [
            {"key": key, "deleted": True} if data is None else {"key": key, "value": _raw(data)}
            for key, data in frame.changes.items()
        ],
    }
    if record.raw is not None:
        found["raw"] = record.raw
    if state is not None:
        found["state"] = {key: _raw(data) for key, data in state.items()}
    return found


def _raw(data: Canonical) -> msgspec.Raw:
    return msgspec.Raw(data)
