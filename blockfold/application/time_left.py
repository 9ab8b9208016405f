"""What is done about a deadline: asking for time before each piece of work, and sharing it out."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf

from blockfold.ports import Clock


@dataclass(slots=True)
class Until:
    """Whether there is time for another piece of work, and whether there was for all of them.

    Attributes:
        clock: Time.
        deadline: When there is none any more, by the clock's ``monotonic``.
        ran_out: Whether somebody asked after that.
    """

    clock: Clock
    deadline: float
    ran_out: bool = False

    def __call__(self) -> bool:
        """Whether there is time. Threads may ask at once."""
        if self.clock.monotonic() < self.deadline:
            return True
        self.ran_out = True
        return False


def share(clock: Clock, deadline: float, parts: int) -> float:
    """When the first of so many equal parts of the time that is left is over."""
    if parts == 1 or isinf(deadline):
        return deadline
    now = clock.monotonic()
    return now + (deadline - now) / parts
