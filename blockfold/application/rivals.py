"""How likely it is that somebody else folded a machine since this executor did.

A queue hands a group's batches to any of a function's environments. A warm executor finds out by
the commit itself, which costs nothing as long as it is first. If it is not, the put that failed is
paid, and the block was executed in vain. So an executor whose machines wander looks first.
"""

from __future__ import annotations

LOOK_FROM = 0.3
"""Share of machines found changed from which looking is worth it. A look takes two read units
($0.25 per million) each time; a lost race takes the put's write units ($0.625 and more), and those
two as well. Time breaks even sooner: one answer more against two."""

WEIGHT = 0.05
"""How much the newest observation counts: some 20 of them make the estimate."""


class Rivals:
    """An estimate that follows what was seen lately, of all machines of an executor together."""

    def __init__(self) -> None:
        self.share = 0.0

    @property
    def likely(self) -> bool:
        """Whether to look before executing on a cached head."""
        return self.share >= LOOK_FROM

    def note(self, *, changed: bool) -> None:
        """A cached head was tried: somebody else had committed since, or not."""
        self.share += WEIGHT * (changed - self.share)
