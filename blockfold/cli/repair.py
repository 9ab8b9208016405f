"""``blockfold repair``: make whole again what is damaged or missing in the bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from blockfold.cli.output import AsJson, MachineId, StackName, counted, print_json, progress, say
from blockfold.client import connect

STEPS = 5
"""What a repair goes through: see `blockfold.application.repair`."""


def repair(
    machine: MachineId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    stack: StackName = None,
    json: AsJson = False,
) -> None:
    """Make a machine's damaged and missing objects again.

    Segments come from the table, large bodies from segments, snapshots from the log, copies of
    settings from the Machines table. Then everything is verified. Running it twice, or beside
    live traffic, is safe. Needs the right to write and delete objects. Exits 1 and says what to
    do if something could not be healed.
    """
    with progress() as bar, connect(stack).repairer(dry_run=dry_run) as repairer:
        task = bar.add_task(f"repair {machine}", total=STEPS)

        def tell(step: str) -> None:
            bar.update(task, advance=1, description=f"repair {machine}: {step}")

        done = repairer.repair(machine, tell)
    if json:
        print_json(
            {
                "machine": machine,
                "ok": not done.lost,
                "dry_run": dry_run,
                "healed": done.healed,
                "lost": done.lost,
            }
        )
    else:
        for healed in done.healed:
            say(f"  {healed.key}: {healed.how}")
        for lost in done.lost:
            say(f"  {lost.key or 'lost'}: {lost.what}\n    {lost.advice}")
        would = "would be " if dry_run else ""
        say(
            f"{machine}: {counted(len(done.healed), 'object')} {would}healed, "
            f"{len(done.lost):,} {would}left as they are"
            if done.healed or done.lost
            else f"{machine}: nothing to repair"
        )
    if done.lost:
        raise typer.Exit(1)
