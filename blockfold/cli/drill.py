"""``blockfold drill``: rehearse a rebuild, and measure what a loss would cost."""

from __future__ import annotations

from typing import Annotated

import typer

from blockfold.application.drill import Drilled
from blockfold.cli.amounts import seconds
from blockfold.cli.output import AsJson, StackName, counted, print_json, print_table, say
from blockfold.cli.rebuild import Every, SomeMachine, chosen
from blockfold.cli.steps import Steps, tables_needed
from blockfold.client import Stack, connect
from blockfold.domain.errors import BlockfoldError


def drill(
    machine: SomeMachine = None,
    every: Every = False,
    rpo: Annotated[
        str, typer.Option(metavar="T", help="How long a block may be outside the archive.")
    ] = "15m",
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Rehearse a rebuild from the bucket alone, and measure it.

    Rebuilds the rows beside the live ones, holds them against the archived head, and deletes
    them again. Live traffic goes on. RPO is what a loss of the tables would cost now, RTO how
    long a rebuild would take. Exits 1 and says what is wrong.
    """
    most = seconds(rpo)
    target = connect(stack)
    with tables_needed():
        names = chosen(machine, every=every, found=lambda: _listed(target))
        done = [
            _one(target, name, float("inf") if most is None else most, json=json, all_=every)
            for name in names
        ]
    if json:
        found = [each.report() for each in done]
        print_json(found if every else found[0])
    else:
        _show(done)
    if not all(each.ok for each in done):
        raise typer.Exit(1)


def _listed(target: Stack) -> list[str]:
    """The machines of the register, and those that only the bucket knows."""
    known = {record.machine for record in target.adapters.machines.list()}
    return sorted(known | {*target.rebuilder.found()})


def _one(target: Stack, machine: str, rpo: float, *, json: bool, all_: bool) -> Drilled:
    with Steps(machine, json=json) as steps:
        try:
            return target.drill.run(machine, rpo=rpo, progress=steps)
        except BlockfoldError as error:
            if not all_:
                raise
            return Drilled(machine=machine, findings=(str(error),))


def _show(done: list[Drilled]) -> None:
    print_table(
        ("machine", "head#", "RPO#", "blocks#", "RTO#", "rows#", "rows/s#", "ok#"),
        (
            (
                each.machine,
                f"{each.number:,}",
                f"{each.rpo_seconds:,.0f} s",
                f"{each.rpo_blocks:,}",
                f"{each.rto_seconds:,.1f} s",
                f"{each.rows:,}",
                f"{each.rows_per_second:,.0f}",
                "yes" if each.ok else "NO",
            )
            for each in done
        ),
    )
    for each in done:
        for finding in each.findings:
            say(f"{each.machine}: {finding}")
    wrong = sum(1 for each in done if not each.ok)
    rehearsed = f"{counted(len(done), 'machine')} rehearsed"
    say(f"{rehearsed}; something is wrong with {wrong:,}" if wrong else f"{rehearsed}; all is well")
