"""What the files of seeds have in common: run them, and see that faults really happened."""

from __future__ import annotations

from tests.simulation.__main__ import told
from tests.simulation.environments import simulated
from tests.simulation.plan import Plan
from tests.simulation.run import run
from tests.simulation.shrink import shrink
from tests.simulation.soak import soak

HAPPENS = (
    "crashes",
    "timeouts",
    "zombies",
    "redeliveries",
    "conflicts",
    "throttle",
    "lose answer",
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
)
"""What must have happened among some hundreds of seeds, or the run shows less than it says."""


def assert_all_laws(seeds: range) -> None:
    """Run some hundreds of seeds; tell the story of the first that breaks a law."""
    soaked = soak(seeds)
    if soaked.failed:
        seed, _ = soaked.failed[0]
        with simulated():
            story = told(shrink(run(Plan.of(seed))))
        raise AssertionError("\n".join([f"seeds that fail: {soaked.failed}", *story]))
    assert soaked.totals["runs"] == len(seeds)
    never = [name for name in HAPPENS if not soaked.totals[name]]
    assert not never, f"never happened: {never}"
