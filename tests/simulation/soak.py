"""Many runs, in some processes, and what they came to."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.simulation.environments import simulated
from tests.simulation.plan import Plan
from tests.simulation.run import run

CHUNK = 50
"""Seeds that a process takes at once."""

TOTALS = (
    "runs",
    "calls",
    "invocations",
    "actions",
    "blocks",
    "snapshots",
    "crashes",
    "timeouts",
    "freezes",
    "zombies",
    "redeliveries",
    "conflicts",
    "throttle",
    "lose answer",
    "no answer",
    "broken",
    "parts",
    "409",
    "records lost",
    "records repeated",
    "events lost",
    "restores",
    "forks",
    "prunes",
    "reads",
    "sent again",
    "repeated late",
    "buried",
    "refusals",
    "violations",
)
"""What is printed, in this order."""


@dataclass
class Soaked:
    """What came of many runs.

    Attributes:
        totals: What happened how often.
        failed: Seeds that broke a law, and which.
    """

    totals: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Soaked) -> None:
        """Count what another came to."""
        self.totals.update(other.totals)
        self.failed += other.failed

    def words(self) -> str:
        """The totals in one line."""
        return ", ".join(f"{name} {self.totals[name]:,}" for name in TOTALS)


def soak(seeds: range) -> Soaked:
    """Run some seeds here."""
    soaked = Soaked()
    with simulated(), _collecting_rarely():
        for position, seed in enumerate(seeds):
            if position % CHUNK == 0:
                gc.collect()
            ran = run(Plan.of(seed))
            soaked.totals.update(ran.totals)
            if ran.violation is not None:
                soaked.failed.append((seed, str(ran.violation)))
    soaked.totals["conflicts"] = soaked.totals["metric Conflicts"]
    return soaked


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Stories are many small objects that live for a run: looking through them costs a fifth."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def soak_all(seeds: range, *, jobs: int, minutes: float | None) -> Iterator[Soaked]:
    """Run many seeds in so many processes; what each chunk came to, as they end."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    end = None if minutes is None else time.monotonic() + 60 * minutes
    if jobs == 1:
        for chunk in chunks:
            if end is not None and time.monotonic() > end:
                return
            yield soak(chunk)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for soaked in pool.imap_unordered(soak, chunks):
            yield soaked
            if end is not None and time.monotonic() > end:
                return
