"""``blockfold restore``: bring an old block back, in place or as another machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from blockfold.application.push import check_machine_id
from blockfold.application.travel import Traveller
from blockfold.bootstrap import importer, restorer
from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    counted,
    print_json,
    progress,
    say,
    short,
)
from blockfold.cli.restoring import Follower
from blockfold.client import Stack, connect
from blockfold.domain.errors import Misconfigured, NotFound
from blockfold.domain.point import AtBlock, AtSnapshot, AtTime, Point, parse_time


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
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="STACK", help="MACHINE is one of that stack; with --as."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would do, take and cost.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a restore that was interrupted.")
    ] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Bring an old state back as a new block.

    Restoring the block before that one undoes it. Nothing is rewritten: the blocks in between
    stay. Actions that are pushed meanwhile wait in the queue and come after it. Exact reads see
    the old state as soon as that block stands; a large state takes its time to the table, shown
    on stderr. Ctrl-C does not undo it: --resume goes on.
    """
    given = {"block": block, "snapshot": snapshot, "time": time}
    chosen = {name: value for name, value in given.items() if value is not None}
    if resume:
        if chosen or fork is not None or source is not None or dry_run:
            raise Misconfigured(
                "--resume goes on with what was begun", hint="name the machine, and nothing else"
            )
        _resume(connect(stack), machine, json=json)
        return
    if len(chosen) != 1:
        raise Misconfigured(
            "say one thing to restore" if chosen else "say what to restore",
            hint="one of --block, --snapshot and --time",
        )
    target = connect(stack)
    payload: dict[str, object] = {"machine": machine, **chosen}
    if source is not None:
        if fork is None:
            raise Misconfigured(
                "--from brings a machine of another stack", hint="name the new one: --as M"
            )
        key = copied(connect(source), target, machine, point_of(block, snapshot, time), fork)
        payload = {"machine": fork, "import": key}
    elif fork is not None:
        payload["as"] = fork
    if dry_run:
        planned = target.call("RestoreFunctionName", {**payload, "dry_run": True})
        if json:
            print_json(planned)
        else:
            _say_plan(planned)
        return
    answer = Follower(target, fork or machine, json=json).carry_out(payload)
    if json:
        print_json(answer)
        return
    say(
        f"brought back block {answer['restored']} of {answer['source']} as block "
        f"{answer['number']} of {answer['machine']}: {counts(answer)}; "
        f"digest {short(answer['digest'])}"
    )
    if fork is None:
        say(f"undo it with: blockfold restore {machine} --block {answer['number'] - 1}")


def point_of(block: int | None, snapshot: int | None, time: str | None) -> Point:
    """The point that one of the three names."""
    if block is not None:
        return AtBlock(block)
    if snapshot is not None:
        return AtSnapshot(snapshot)
    moment = parse_time(time or "")
    if moment is None:
        raise Misconfigured(f"{time!r} is no RFC 3339 time", hint="such as 2026-01-31T12:00:00Z")
    return AtTime(moment)


def copied(source: Stack, target: Stack, machine: str, point: Point, fork: str) -> str:
    """Store the state of another stack's machine in this one's bucket; its object key."""
    check_machine_id(fork)
    number = source.reader.number_at(machine, point)
    if number == 0:
        raise Misconfigured("block 0 has no state", hint="the first block is 1")
    block = source.reader.block(machine, number)
    adapters = source.adapters
    _, entries = Traveller(adapters.archived_log, adapters.snapshots).entries(machine, number)
    with progress() as bar:
        copying = bar.track(entries, total=block.header.keys, description=f"copy {machine}")
        return importer(target.adapters).upload_block(fork, block, copying).key


def counts(answer: dict[str, Any]) -> str:
    """What was written, as far as one call knows it."""
    if answer["written"] is None:
        return f"its state table holds all {answer['rows']:,} keys"
    return f"{answer['written']:,} keys written, {answer['deleted']:,} deleted"


def _resume(target: Stack, machine: str, *, json: bool) -> None:
    found = restorer(target.adapters).progress(machine)
    if found is None:
        raise NotFound(
            f"no restore of machine {machine!r} is under way",
            hint="its state table holds all that its restores brought back",
        )
    Follower(target, machine, json=json).go_on()
    if json:
        print_json({"machine": machine, "number": found.number, "rows": found.rows, "done": True})
        return
    say(f"{machine} holds what its block {found.number} brought back: {found.rows:,} keys")


def _say_plan(plan: dict[str, Any]) -> None:
    """A plan in a few lines."""
    say(
        f"would bring back block {plan['restored']} of {plan['source']} as block "
        f"{plan['number']} of {plan['machine']}: {plan['written']:,} keys written, "
        f"{plan['deleted']:,} deleted; digest {short(plan['digest'])}"
    )
    base = "the empty state" if plan["base"] is None else f"snapshot {plan['base']}"
    above = f" and {counted(plan['folded'], 'block')} after it" if plan["folded"] else ""
    say(f"  {plan['rows']:,} keys, from {base}{above}")
    takes = plan["estimate"]
    say(
        f"  {counted(takes['bytes'], 'byte')} in {counted(takes['requests'], 'request')}: "
        f"{counted(takes['write_units'], 'write unit')}, "
        f"{counted(takes['read_units'], 'read unit')}"
    )
    most = "about" if takes["exact"] else "at most"
    seconds, dollars = max(takes["seconds"], 0.1), max(takes["dollars"], 0.0001)
    say(f"  {most} {seconds:,.1f} s and ${dollars:,.4f}")
