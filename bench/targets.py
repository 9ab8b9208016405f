"""What is wanted, and what of it was measured.

Rates are compared within each round, so that what else the machine did weighs on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Literal

Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure, with its range if it was measured in rounds."""

    value: float
    least: float | None = None
    most: float | None = None

    def text(self, unit: str) -> str:
        """As it stands in a table."""
        if self.least is None or self.most is None:
            return f"{_figure(self.value)}{unit}"
        return f"{_figure(self.value)}{unit} ({_figure(self.least)} to {_figure(self.most)})"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is wanted.

    Attributes:
        what: Of what.
        sign: Whether more or less is better.
        bound: How much.
        unit: What stands behind a figure.
        measure: Takes it from the results; None if it is not in them.
    """

    what: str
    sign: Literal["≤", "≥"]
    bound: float
    unit: str
    measure: Callable[[Results], Measured | None]

    @property
    def wanted(self) -> str:
        """As it stands in a table."""
        return f"{self.sign} {self.bound:g}{self.unit}"

    def holds(self, measured: Measured) -> bool:
        """Whether it does, in the median."""
        if self.sign == "≤":
            return measured.value <= self.bound
        return measured.value >= self.bound


def units(key: str, results: Results) -> Measured | None:
    """Write units per action of a contender; counted, so without a range."""
    row = results["workloads"]["leaderboard"]["rows"].get(key)
    return None if row is None else Measured(row["counts"]["wru"] / row["actions"])


def ratio(key: str, other: str, results: Results) -> Measured | None:
    """How many times as many actions a second one contender takes as another, round by round."""
    rows = results["workloads"]["leaderboard"]["rows"]
    if key not in rows or other not in rows:
        return None
    found = [
        (one["actions"] / one["seconds"]) / (two["actions"] / two["seconds"])
        for one, two in zip(rows[key]["runs"], rows[other]["runs"], strict=True)
    ]
    return Measured(median(found), min(found), max(found))


def printed(module: str, pattern: str, results: Results) -> Measured | None:
    """A figure of a measurement by itself, found in what it printed."""
    found = re.search(pattern, results["others"].get(module, ""))
    return None if found is None else Measured(float(found[1].replace(",", "")))


def minutes(results: Results) -> Measured:
    """How long all of it took."""
    return Measured(results["seconds"] / 60)


def _wru(what: str, key: str, bound: float) -> Target:
    return Target(f"{what}: write units per action", "≤", bound, "", partial(units, key))


def _times(what: str, key: str, other: str, name: str, bound: float) -> Target:
    return Target(f"{what}: actions/s against {name}", "≥", bound, " x", partial(ratio, key, other))


GET, GROUP = "castore's get + push", "castore's groups of 100"
ONE, ONE_LOG = "One a message, with state", "One a message, log only"
MANY, MANY_LOG = "100 a message, with state", "100 a message, log only"

TARGETS = (
    _wru(ONE, "ours-1", 0.65),
    _times(ONE, "ours-1", "castore-get", GET, 6),
    _wru(ONE_LOG, "ours-1-log", 0.2),
    _times(ONE_LOG, "ours-1-log", "castore-get", GET, 12),
    _wru(MANY, "ours-100", 0.2),
    _times(MANY, "ours-100", "castore-get", GET, 20),
    _times(MANY_LOG, "ours-100-log", "castore-get", GET, 40),
    _times(MANY_LOG, "ours-100-log", "castore-group", GROUP, 8),
    Target(
        "Domain: validate, execute, digest, encode",
        "≤",
        25,
        " µs",
        partial(printed, "bench.domain", r"([\d.]+) µs of CPU an action"),
    ),
    Target(
        "Cold start: time against boto3 with a client",
        "≤",
        1.5,
        " x",
        partial(printed, "bench.cold_start", r"executor +\d+ ms +([\d.]+)"),
    ),
    Target(
        "Cold start: memory against the same",
        "≤",
        1.4,
        " x",
        partial(printed, "bench.cold_start", r"executor .* MB +([\d.]+)"),
    ),
    Target(
        "The functions' package, without boto3",
        "≤",
        20,
        " MB",
        lambda results: Measured(results["asset"] / 1e6),
    ),
    Target(
        "End to end by the producer, against one a message",
        "≥",
        20,
        " x",
        partial(printed, "bench.end_to_end", r"ratio[^\n]*?([\d.]+)"),
    ),
    Target("All of this by one command", "≤", 10, " minutes", minutes),
)
"""In the order of the page."""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
