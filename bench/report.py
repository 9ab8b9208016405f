"""The page ``docs/benchmarks.md`` and what is printed, from the results of one run.

The prose stands in ``bench/benchmarks.md.in``: a line ``{{name}}`` in it is replaced by a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import dollars, targets

HERE = Path(__file__).parent
TEMPLATE = HERE / "benchmarks.md.in"
PAGE = HERE.parent / "docs" / "benchmarks.md"
MEGABYTE_KB = 1024
KINDS = ("ours", "castore", "eventsourcing", "naive")

Results = dict[str, Any]
Row = Sequence[str]


def rate(run: Results) -> float:
    """Actions a second."""
    found: float = run["actions"] / run["seconds"]
    return found


def text(results: Results) -> str:
    """What is printed: the targets and the leaderboard, as plain tables."""
    rows = in_order(results["workloads"]["leaderboard"])
    parts = [
        _plain(_targets(results)),
        _plain(_speed(rows)),
        _plain(_cost("leaderboard", rows)),
    ]
    return "\n\n".join(parts) + "\n"


def page(results: Results) -> str:
    """The page."""
    workloads = results["workloads"]
    board = in_order(workloads["leaderboard"])
    parts = {
        "when": _when(results),
        "targets": _marked(_targets(results)),
        "speed": _marked(_speed(board)),
        "cost": _marked(_cost("leaderboard", board)),
        "forest": _others("forest", workloads),
        "httpx": _others("httpx", workloads),
        "alone": _alone(workloads["leaderboard"]["rows"]),
        "themselves": _themselves(results["others"]),
        "versions": ", ".join(f"{name} {each}" for name, each in results["versions"].items()),
    }
    page_ = TEMPLATE.read_text(encoding="utf-8")
    for name, part in parts.items():
        page_ = page_.replace(f"{{{{{name}}}}}", part)
    assert "{{" not in page_, "the template names a part that is not made"
    return page_


def in_order(workload: Results) -> list[Results]:
    """The rows of a workload, ours first, and each one's together."""
    rows: list[Results] = list(workload["rows"].values())
    return sorted(rows, key=lambda row: KINDS.index(row["kind"]))


def _targets(results: Results) -> list[Row]:
    found: list[Row] = [("what", "wanted", "measured", "")]
    for target in targets.TARGETS:
        measured = target.measure(results)
        if measured is None:
            found.append((target.what, target.wanted, "not measured in this run", ""))
            continue
        held = "held" if target.holds(measured) else "**missed**"
        found.append((target.what, target.wanted, measured.text(target.unit), held))
    return found


def _speed(rows: Iterable[Results]) -> list[Row]:
    found: list[Row] = [
        ("", "actions", "actions/s", "min to max", "CPU µs/action", "p50 ms", "p99 ms", "memory MB")
    ]
    for row in rows:
        rates = [rate(run) for run in row["runs"]]

        def middle(name: str, row: Results = row) -> float:
            return float(median(run[name] for run in row["runs"]))

        cpu = median(run["cpu"] / run["actions"] * 1e6 for run in row["runs"])
        found.append(
            (
                row["title"],
                f"{row['runs'][-1]['actions']:,}",
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}",
                f"{cpu:,.0f}",
                f"{middle('p50'):.1f}",
                f"{middle('p99'):.1f}",
                f"{middle('memory') / MEGABYTE_KB:.0f}",
            )
        )
    return found


def _cost(workload: str, rows: Iterable[Results]) -> list[Row]:
    found: list[Row] = [
        ("", "requests", "WRU", "RRU", "bytes stored", "$/M DynamoDB", "$/M whole path")
    ]
    for row in rows:
        counts, actions = row["counts"], row["actions"]
        found.append(
            (
                row["title"],
                _short(sum(counts["requests"].values()) / actions),
                _short(counts["wru"] / actions),
                _short(counts["rru"] / actions),
                f"{(counts['stored'] + counts['objects']) / actions:,.0f}",
                f"{dollars.dynamodb(row):.3f}",
                f"{sum(dollars.whole(workload, row).values()):.2f}",
            )
        )
    return found


def _others(name: str, workloads: Results) -> str:
    rows = in_order(workloads[name])
    return f"{_marked(_speed(rows))}\n\n{_marked(_cost(name, rows))}"


def _alone(rows: Results) -> str:
    """One action by itself, beside a single put."""
    ours, put = rows["ours-alone"], rows["castore-push"]
    pairs = [
        one["p50"] / other["p50"] for one, other in zip(ours["runs"], put["runs"], strict=True)
    ]
    middle = median(run["p50"] for run in ours["runs"])
    return (
        f"{middle:.1f} ms, which is {median(pairs):.1f} times castore's push "
        f"({min(pairs):.1f} to {max(pairs):.1f})"
    )


def _themselves(others: dict[str, str]) -> str:
    if not others:
        return "Not measured in this run."
    return "\n\n".join(
        f"`python -m {module}`\n\n```\n{printed.strip()}\n```" for module, printed in others.items()
    )


def _when(results: Results) -> str:
    machine = results["machine"]
    minutes = results["seconds"] / 60
    rounds = results["workloads"]["leaderboard"]["rounds"]
    return (
        f"{results['date']}, {machine['cores']} cores ({machine['processor']}), "
        f"{machine['system']}, Python {machine['python']}; tables in {results['server']}; "
        f"{rounds} rounds; {minutes:.1f} minutes in all."
    )


def _short(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def _marked(rows: Sequence[Row]) -> str:
    """A table in Markdown; all columns but the first of figures stand to the right."""
    head, *body = rows
    line = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join(
        ["| " + " | ".join(head) + " |", line, *(f"| {' | '.join(r)} |" for r in body)]
    )


def _plain(rows: Sequence[Row]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ).replace("**", "")
