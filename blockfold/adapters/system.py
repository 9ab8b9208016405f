"""The machine that the code runs on: its clock, and a timer that ends endless reducers."""

from __future__ import annotations

import atexit
import gc
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, TracebackType
from typing import ClassVar

from blockfold.domain.errors import OutOfTime

THRESHOLDS = (50_000, 20, 20)
"""Objects made, and collections of younger ones, between two collections; Python's are 700, 10, 10.
50,000 objects that wait for one are some megabytes."""

TICK_SECONDS = 0.05
"""How often the alarm looks at the time, and interrupts a reducer whose time is over."""

IDLE_TICKS = 20
"""Ticks without a reducer after which the alarm is turned off."""


class SystemClock:
    """The system's clocks."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.monotonic)
    """Seconds since some fixed moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def call_later(self, seconds: float, do: Callable[[], None]) -> threading.Timer:
        """See `Timers.call_later`. A call that waits does not keep the interpreter running."""
        timer = threading.Timer(seconds, do)
        timer.daemon = True
        timer.start()
        return timer


def collect_seldom() -> None:
    """Let Python look for cyclic garbage seldom, and never among what is there now.

    For a process that executes actions and nothing else, once all is imported. Reducers make many
    objects and hardly a cycle: with Python's usual thresholds the search takes a third of the
    executor's own time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


class AlarmGuard:
    """A `Guard` by SIGALRM: ends a reducer that is still running after its budget.

    Works in the main thread, which is where Lambda runs handlers; in any other thread it does
    not bound anything. It interrupts Python code and blocking calls alike, not a C function
    that never returns. A reducer that swallows the end of its time is interrupted again and
    again, and counts as out of time even if it then returns.

    The alarm ticks for as long as guards are in use, and each tick looks whether time is over.
    Setting and clearing an alarm for each action would take several times as long as many actions.

    Args:
        seconds: The budget of one action; it ends at the next tick, at most `TICK_SECONDS` later.
    """

    _active: ClassVar[AlarmGuard | None] = None
    _idle: ClassVar[int] = 0

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._rang = False
        self._outer: AlarmGuard | None = None

    def __call__(self) -> AbstractContextManager[object]:
        """A context that is ended by `OutOfTime` when the budget is used up."""
        return self if threading.get_ident() == threading.main_thread().ident else nullcontext()

    def __enter__(self) -> AlarmGuard:
        # Whoever else uses the alarm has set another interval, or none.
        if signal.getitimer(signal.ITIMER_REAL)[1] != TICK_SECONDS:
            signal.signal(signal.SIGALRM, AlarmGuard._ring)
            atexit.unregister(_still)
            atexit.register(_still)
            signal.setitimer(signal.ITIMER_REAL, TICK_SECONDS, TICK_SECONDS)
        self._rang = False
        self._until = time.monotonic() + self._seconds
        self._outer = AlarmGuard._active
        AlarmGuard._idle = 0
        AlarmGuard._active = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            AlarmGuard._active = self._outer
        finally:  # the alarm may ring just before the line above
            AlarmGuard._active = self._outer
        if self._rang and not isinstance(error, OutOfTime):
            raise self._out_of_time() from error

    @staticmethod
    def _ring(_number: int, _frame: FrameType | None) -> None:
        """Look at the time; stop ticking when nobody was guarded for a while."""
        guard = AlarmGuard._active
        if guard is None:
            AlarmGuard._idle += 1
            if AlarmGuard._idle >= IDLE_TICKS:
                _still()
        else:
            guard.look()

    def look(self) -> None:
        """Look at the time.

        Raises:
            OutOfTime: It is over.
        """
        if time.monotonic() >= self._until:
            self._rang = True
            raise self._out_of_time()

    def _out_of_time(self) -> OutOfTime:
        return OutOfTime(f"ran out of its time of {self._seconds:g} s")


def _still() -> None:
    """Stop ticking. An interpreter that ends puts the signal's handler away before the alarm."""
    signal.setitimer(signal.ITIMER_REAL, 0)
