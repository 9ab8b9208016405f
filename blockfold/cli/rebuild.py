"""``blockfold rebuild``: put lost tables back, from the bucket."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from blockfold.application.rebuild import Rebuilder, RebuildPlan, Rebuilt
from blockfold.cli.output import (
    AsJson,
    StackName,
    counted,
    print_json,
    print_table,
    say,
    short,
)
from blockfold.cli.steps import Steps, paused, resumable, tables_needed
from blockfold.client import connect
from blockfold.domain.errors import BlockfoldError, Misconfigured, NotFound

SomeMachine = Annotated[str | None, typer.Argument(metavar="MACHINE", help="The machine's id.")]
Every = Annotated[bool, typer.Option("--all", help="Every machine that the bucket knows.")]


def rebuild(
    machine: SomeMachine = None,
    every: Every = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Put lost blocks, rows and settings back from the bucket.

    Each machine comes back as of its last archived block. Meanwhile the actions of all machines
    wait in the queue. What is there already stays, so running it again goes on.
    """
    target = connect(stack)
    with tables_needed():
        rebuilder = target.rebuilder
        names = chosen(machine, every=every, found=rebuilder.found)
        work = _Work(rebuilder, json=json, all_=every)
        plans = work.plans(names)
        if not json:
            _show(plans)
        if dry_run:
            if json:
                print_json([asdict(plan) for plan in plans])
            work.end()
            return
        if plans and not yes:
            _ask(counted(len(plans), "machine"), json=json)
        done: list[Rebuilt] = []
        again = f"blockfold rebuild {'--all' if every else machine}"
        with resumable(again):
            if plans:
                with paused(target.intake):
                    done = work.carry_out([plan.machine for plan in plans])
    if json:
        found = [{**asdict(each), "ok": each.ok} for each in done]
        print_json(found if every else found[0])
    work.end()


def chosen(machine: str | None, *, every: bool, found: Any) -> list[str]:
    """The machines that a command was given.

    Args:
        machine: One of them.
        every: All of them.
        found: Gives all of them.

    Raises:
        Misconfigured: Neither was given, or both.
    """
    if every == (machine is not None):
        raise Misconfigured("say which machine", hint="give its id, or --all")
    return [machine] if machine is not None else list(found())


class _Work:
    """Rebuilds machines one after the other; with ``--all``, one's trouble stops no other."""

    def __init__(self, rebuilder: Rebuilder, *, json: bool, all_: bool) -> None:
        self._rebuilder = rebuilder
        self._json = json
        self._all = all_
        self._failed = 0

    def plans(self, names: list[str]) -> list[RebuildPlan]:
        plans = []
        for name in names:
            try:
                plans.append(self._rebuilder.plan(name))
            except BlockfoldError as error:
                self._fail(name, error)
        return plans

    def carry_out(self, names: list[str]) -> list[Rebuilt]:
        done = []
        for name in names:
            try:
                done.append(self._one(name))
            except BlockfoldError as error:
                self._fail(name, error)
        return done

    def _one(self, name: str) -> Rebuilt:
        plan = self._rebuilder.plan(name)  # again: nothing moves any more
        totals = {"blocks": plan.blocks, "read": plan.number}
        with Steps(name, totals, json=self._json) as steps:
            rebuilt = self._rebuilder.carry_out(plan, steps)
        if not self._json:
            say(
                f"{name}: {counted(rebuilt.blocks, 'block')} and {counted(rebuilt.rows, 'row')} "
                f"put back, {rebuilt.erased:,} erased; it stands at block {rebuilt.number:,}, "
                f"epoch {rebuilt.epoch}, digest {short(rebuilt.digest)}"
            )
        if not rebuilt.ok:
            self._failed += 1
            say(
                f"{name}: its state has digest {short(rebuilt.found)}: blocks were executed while "
                f"rows were lost\n  hint: `blockfold verify {name}` names the first of them; undo "
                "it by `blockfold restore` to the block before"
            )
        return rebuilt

    def _fail(self, name: str, error: BlockfoldError) -> None:
        if not self._all or _is_missing_table(error):
            raise error
        self._failed += 1
        say(f"{name}: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""))

    def end(self) -> None:
        if self._failed:
            say(f"{counted(self._failed, 'machine')} could not be rebuilt as it should")
            raise typer.Exit(1)


def _is_missing_table(error: BlockfoldError) -> bool:
    return isinstance(error, NotFound) and error.__cause__ is not None


def _show(plans: list[RebuildPlan]) -> None:
    print_table(
        ("machine", "head#", "hash#", "blocks to put back#", "epoch#"),
        (
            (plan.machine, plan.number, short(plan.hash), f"{plan.blocks:,}", plan.epoch)
            for plan in plans
        ),
    )


def _ask(what: str, *, json: bool) -> None:
    if json or not sys.stdin.isatty():
        raise Misconfigured("nobody is there to be asked", hint="add --yes if you mean it")
    say("rows are compared, and those that are missing or wrong are written")
    if not typer.confirm(f"Rebuild {what}, while all actions wait?", err=True):
        raise typer.Exit(1)
