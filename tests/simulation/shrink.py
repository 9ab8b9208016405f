"""Make a failing run small: fewer turns and faults that still break the same law.

Each turn, and each process that begins in it, has chances of its own. So a turn that is left out
hardly changes the others, and turns can be left out by halves, quarters and so on, down to single
ones (delta debugging: Zeller and Hildebrandt, IEEE TSE 2002).
"""

from __future__ import annotations

import time
from dataclasses import replace

from tests.simulation.plan import Plan
from tests.simulation.run import Ran, run


def shrink(ran: Ran, *, seconds: float = 30.0) -> Ran:
    """The smallest failing run that is found in some time."""
    end = time.monotonic() + seconds
    best, before = ran, None
    while best is not before and time.monotonic() < end:
        before = best
        best = _fewer_turns(best, end)
        best = _simpler(best, end)
    return best


def _fewer_turns(best: Ran, end: float) -> Ran:
    size = max(1, len(best.plan.taken) // 2)
    while size:
        taken = best.plan.taken
        for at in range(0, len(taken), size):
            if time.monotonic() > end:
                return best
            gone = {*taken[at : at + size]}
            only = tuple(turn for turn in best.plan.taken if turn not in gone)
            best = _tried(replace(best.plan, only=only), best)
        size //= 2
    return best


def _simpler(best: Ran, end: float) -> Ran:
    for change in best.plan.simpler():
        if time.monotonic() > end:
            return best
        best = _tried(best.plan.changed(change), best)
    return best


def _tried(plan: Plan, best: Ran) -> Ran:
    """The plan's run if it breaks the same law in no more lines, else the best so far."""
    ran = run(plan)
    shorter = len(ran.story.lines) <= len(best.story.lines)
    return ran if shorter and is_like(ran, best) else best


def is_like(one: Ran, other: Ran) -> bool:
    """Whether both break the same law."""
    return (
        one.violation is not None
        and other.violation is not None
        and one.violation.law == other.violation.law
    )
