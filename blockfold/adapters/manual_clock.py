"""A clock that stands still until it is moved: for tests and notebooks."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from threading import RLock

START = 1_767_225_600_000
"""2026-01-01T00:00:00Z, milliseconds since 1970 UTC."""


class ManualTimer:
    """A call that waits for its time.

    Attributes:
        do: The call; None once it was made or called off.
    """

    def __init__(self, do: Callable[[], None]) -> None:
        self.do: Callable[[], None] | None = do

    def cancel(self) -> None:
        """Call it off; no error if it was made already."""
        self.do = None


class ManualClock:
    """A clock with timers that goes on only by `advance` and `sleep`.

    Args:
        milliseconds: The time that it begins at, since 1970 UTC.
    """

    def __init__(self, milliseconds: int = START) -> None:
        self._began = milliseconds
        self._passed = 0.0
        self._waiting: list[tuple[float, int, ManualTimer]] = []
        self._order = count()
        self._lock = RLock()
        self._moving = RLock()  # one thread moves the clock at a time

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return self._began + round(self._passed * 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Waits by going on at once."""
        self.advance(seconds)

    def call_later(self, seconds: float, do: Callable[[], None]) -> ManualTimer:
        """See `Timers.call_later`: made by whoever moves the clock, in order of time."""
        with self._lock:
            timer = ManualTimer(do)
            heappush(self._waiting, (self._passed + seconds, next(self._order), timer))
            return timer

    def advance(self, seconds: float) -> None:
        """Go on, and make the calls that come due on the way, each at its time.

        The calls are made outside the lock that `call_later` takes: another thread may hold what
        they wait for, and wait for this clock.
        """
        with self._moving:
            end = self._passed + seconds
            while (do := self._due(end)) is not None:
                do()
            self._passed = max(self._passed, end)

    def _due(self, end: float) -> Callable[[], None] | None:
        """The next call that is due by then; the clock goes on to its time."""
        with self._lock:
            while self._waiting and self._waiting[0][0] <= end:
                at, _, timer = heappop(self._waiting)
                self._passed = max(self._passed, at)
                do, timer.do = timer.do, None
                if do is not None:
                    return do
        return None
