"""``blockfold cost``: what a month on AWS costs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from blockfold.application.cost import Bill, Counts, Line, Shape, Workload, estimate
from blockfold.application.push import check_actions
from blockfold.cli.machine_class import load
from blockfold.cli.output import AsJson, print_json, print_table, say
from blockfold.domain.errors import Misconfigured
from blockfold.domain.machine import Machine
from blockfold.runtime.leaderboard import Leaderboard, scores
from blockfold.runtime.sample import sample

UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}

MOST_WARM = 20_000
"""Actions that fill the built-in leaderboard before it is counted, three for each player."""


def cost(
    actions: Annotated[str, typer.Option(help="Actions a month, of all machines: 5e6, 5M.")],
    machines: Annotated[str, typer.Option(help="Machines, with equal shares.")] = "1",
    per_message: Annotated[str, typer.Option(help="Actions packed into one message.")] = "1",
    per_request: Annotated[
        int, typer.Option(min=1, max=10, help="Messages that a producer sends at once.")
    ] = 1,
    per_invocation: Annotated[
        int | None,
        typer.Option(
            min=1, max=10, help="Messages of a machine that an invocation gets [default: by rate]."
        ),
    ] = None,
    producer: Annotated[
        bool, typer.Option("--producer", help="They come from an idempotent producer.")
    ] = False,
    peak: Annotated[
        float, typer.Option(min=1, help="They come so many times as fast, in as much less time.")
    ] = 1.0,
    keys: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Players of the built-in leaderboard.")
    ] = 1_000,
    count: Annotated[int, typer.Option(min=0, help="Blocks from snapshot to snapshot.")] = 100,
    reads: Annotated[str, typer.Option(help="Exact reads of one key, a month.")] = "0",
    months: Annotated[float, typer.Option(min=0, help="Months of history that are kept.")] = 1.0,
    table_days: Annotated[
        float | None, typer.Option(min=0, help="Days that blocks stay in the table [default: all].")
    ] = None,
    archive_seconds: Annotated[
        int, typer.Option(min=0, max=300, help="How long blocks gather for the archive.")
    ] = 10,
    machine: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="module:Class or path/to/file.py:Class; with --sample."),
    ] = None,
    actions_file: Annotated[
        str | None,
        typer.Option("--sample", metavar="FILE", help="Its actions, JSON lines: some thousand."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Estimate a month's bill on AWS, us-east-1, on demand.

    A sample of actions is executed in memory by the code that the functions run, cut into blocks
    as the queue would hand them over, and what that takes is counted by AWS's rules. Without
    --machine and --sample, it is a leaderboard: points for players in random order.
    """
    shape = Shape(
        actions=number(actions),
        machines=round(number(machines)),
        per_message=round(number(per_message)),
        per_invocation=per_invocation,
        peak=peak,
        producer=producer,
    )
    workload = Workload(
        shape=shape,
        counts=_counts(shape, machine, actions_file, keys, count, archive_seconds),
        count=count,
        reads=number(reads),
        months=months,
        table_days=table_days,
        archive_seconds=archive_seconds,
        per_request=per_request,
    )
    bill = estimate(workload)
    if json:
        print_json(_as_json(bill, workload.counts))
        return
    print_table(("", "a month#", "unit", "price#", "dollars#"), _rows(bill))
    for note in bill.notes:
        say(note)


def number(text: str) -> float:
    """A number as people write it: ``5000000``, ``5_000_000``, ``5e6``, ``5M``.

    Raises:
        Misconfigured: It is none.
    """
    found = re.fullmatch(r"([0-9][0-9_,]*(?:\.[0-9]+)?(?:e\+?[0-9]{1,3})?)([kmg]?)", text.lower())
    try:
        value = float(found[1].replace(",", "")) * UNITS[found[2]] if found else math.inf
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise Misconfigured(f"{text!r} is no number", hint="write 5000000, 5e6 or 5M")
    return value


def _counts(
    shape: Shape, spec: str | None, file: str | None, keys: int, count: int, window: int
) -> Counts:
    if (spec is None) != (file is None):
        raise Misconfigured(
            "a machine of your own needs a sample of its actions, and the other way round",
            hint="give both --machine and --sample, or neither",
        )
    if spec is None or file is None:
        warm = min(3 * keys, MOST_WARM)
        return sample(
            Leaderboard(), scores(keys), shape, count=count, archive_seconds=window, warm=warm
        )
    of: type[Machine] = load(spec, Path.cwd())
    lines = [text for _, text in check_actions(_lines(file))]
    # What came before is what a machine in use has: a tenth is executed without being counted.
    return sample(of(), lines, shape, count=count, archive_seconds=window, warm=len(lines) // 10)


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"cannot read {file}: {error}", hint="write JSON lines in UTF-8"
        ) from error


def _rows(bill: Bill) -> Iterator[tuple[str, ...]]:
    for service, lines in groupby(bill.lines, key=lambda line: line.service):
        yield (service, "", "", "", f"{bill.of(service):,.2f}")
        for line in lines:
            yield (f"  {line.what}", amount(line.units), line.unit, *_priced(line))
    yield ("", "", "", "", "")
    yield ("all", "", "", "", f"{bill.dollars:,.2f}")
    yield ("per million actions", "", "", "", f"{bill.per_million:,.2f}")


def _priced(line: Line) -> tuple[str, str]:
    price = line.price
    shown = f"{price:g}" if price >= 1e-3 else f"{price * 1e6:g}/M"  # noqa: PLR2004 - a cent's tenth
    return shown, f"{line.dollars:,.2f}"


def amount(units: float) -> str:
    """Units with the digits that count."""
    return f"{units:,.0f}" if units >= 100 else f"{units:.3g}"  # noqa: PLR2004 - three digits


def _as_json(bill: Bill, counts: Counts) -> dict[str, object]:
    return {
        "dollars": bill.dollars,
        "per_million_actions": bill.per_million,
        "actions": bill.actions,
        "services": bill.services,
        "lines": [
            {
                "service": line.service,
                "what": line.what,
                "units": line.units,
                "unit": line.unit,
                "price": line.price,
                "dollars": line.dollars,
                "fixed": line.fixed,
            }
            for line in bill.lines
        ],
        "notes": bill.notes,
        "counts": counts,
    }
