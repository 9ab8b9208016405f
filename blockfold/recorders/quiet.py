"""Waiting for quiet: a call some seconds after the last thing happened, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from blockfold.ports import Clock, Timer, Timers

SECONDS = 5.0
"""How long nothing may happen before a snapshot is made: what mintBlue's S3 recorder waits."""

MOST_TIMES = 10
"""After how many times that long a snapshot is made however much happens."""


class TimedClock(Clock, Timers, Protocol):
    """A clock that makes calls later."""


class Quiet:
    """Makes a call once it was quiet for a while, or was not for too long.

    There is one timer at most, however often something happens: it finds out when it goes off.

    Args:
        clock: Time.
        do: The call; made in a timer's thread.
        seconds: How long nothing may happen before it; None makes no call ever.
        most: Seconds since the first thing happened after which it is made in any case.
    """

    def __init__(
        self,
        clock: TimedClock,
        do: Callable[[], None],
        *,
        seconds: float | None = SECONDS,
        most: float | None = None,
    ) -> None:
        self._clock = clock
        self._do = do
        self._seconds = seconds
        self._most = MOST_TIMES * (seconds or 0.0) if most is None else most
        self._first: float | None = None
        self._last = 0.0
        self._waits = False
        self._timer: Timer | None = None
        self._lock = Lock()

    def touch(self) -> None:
        """Something happened."""
        if self._seconds is None:
            return
        with self._lock:
            self._last = self._clock.monotonic()
            if self._first is None:
                self._first = self._last
            if self._waits:
                return
            self._waits = True
            wait = self._due() - self._last
        self._start(wait)

    def cancel(self) -> None:
        """Make no call for what happened so far."""
        with self._lock:
            self._first = None
            timer, self._timer, self._waits = self._timer, None, False
        if timer is not None:
            timer.cancel()

    def _due(self) -> float:
        assert self._first is not None, "something happened"
        assert self._seconds is not None, "it waits for something"
        return min(self._last + self._seconds, self._first + self._most)

    def _start(self, wait: float) -> None:
        """Start the timer, outside the lock: a clock may hold one of its own."""
        timer = self._clock.call_later(wait, self._fire)
        with self._lock:
            self._timer = timer

    def _fire(self) -> None:
        with self._lock:
            if self._first is None:
                self._waits = False
                return
            wait = self._due() - self._clock.monotonic()
            if wait <= 0:
                self._first = None
                self._waits = False
        if wait > 0:
            self._start(wait)
        else:
            self._do()
