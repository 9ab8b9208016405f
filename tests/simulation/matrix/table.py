"""The table of the matrix, as ``docs/reliability.md`` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.simulation.matrix.crossing import Recorded

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN = "<!-- begin of the matrix: python -m tests.simulation.matrix --write -->\n"
END = "<!-- end of the matrix -->\n"


def table(recorded: Sequence[Recorded]) -> str:
    """The table in Markdown, with the totals below it."""
    lines = [
        "| use case | calls | crashes | failures | made good by |",
        "|---|---|---|---|---|",
    ]
    for each in recorded:
        good = "nothing to make good" if each.case.reads else ", or ".join(each.case.recover)
        counts = (len(each.steps), len(each.crashes), len(each.failures))
        lines.append(f"| {each.case.name} | {' | '.join(f'{n:,}' for n in counts)} | {good} |")
    calls = sum(len(each.steps) for each in recorded)
    crashes = sum(len(each.crashes) for each in recorded)
    distinct = sum(len(each.distinct) for each in recorded)
    failures = sum(len(each.failures) for each in recorded)
    lines.append("")
    lines.append(
        f"In all {len(recorded)} use cases, {calls:,} calls, {crashes:,} points at which a process "
        "dies, which leave"
    )
    lines.append(f"{distinct:,} different things behind, and {failures:,} failures.")
    return "\n".join(lines) + "\n"


def shown() -> str:
    """What the page shows now."""
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def write(new: str) -> None:
    """Put a new table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(text[:begin] + new + text[end:], encoding="utf-8")
