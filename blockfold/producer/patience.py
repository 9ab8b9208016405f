"""How long something may take."""

from __future__ import annotations

import time


class Patience:
    """How long something may take.

    Args:
        seconds: In all; None for as long as it takes.
        still: Without getting on; None likewise.
    """

    def __init__(self, seconds: float | None, still: float | None = None) -> None:
        self.seconds = seconds
        self.still = still
        self._began = self._moved = time.monotonic()
        self._done = -1

    def left(self, done: int) -> float | None:
        """Seconds that are left, 0 or less if none are; None for no end.

        Args:
            done: How much is done; the time without getting on begins anew when that changes.
        """
        now = time.monotonic()
        if done != self._done:
            self._done, self._moved = done, now
        ends = []
        if self.seconds is not None:
            ends.append(self._began + self.seconds)
        if self.still is not None:
            ends.append(self._moved + self.still)
        return min(ends) - now if ends else None

    def __str__(self) -> str:
        return " or ".join(
            f"{seconds:g} s{rest}"
            for seconds, rest in ((self.seconds, ""), (self.still, " without getting on"))
            if seconds is not None
        )
