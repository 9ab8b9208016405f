"""The machine that the code runs on: its clock, and a timer that ends endless reducers."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, TracebackType

from blockfold.domain.errors import OutOfTime

AGAIN_SECONDS = 0.05
"""How soon a reducer that swallowed the end of its time is interrupted again."""


class SystemClock:
    """The system's clocks."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def call_later(self, seconds: float, do: Callable[[], None]) -> threading.Timer:
        """See `Timers.call_later`. A call that waits does not keep the interpreter running."""
        timer = threading.Timer(seconds, do)
        timer.daemon = True
        timer.start()
        return timer


class AlarmGuard:
    """A `Guard` by SIGALRM: ends a reducer that is still running after its budget.

    Works in the main thread, which is where Lambda runs handlers; in any other thread it does
    not bound anything. It interrupts Python code and blocking calls alike, not a C function
    that never returns. A reducer that swallows the end of its time is interrupted again and
    again, and counts as out of time even if it then returns.

    Args:
        seconds: The budget of one action.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False
        self._rang = False

    def __call__(self) -> AbstractContextManager[object]:
        """A context that is ended by `OutOfTime` when the budget is used up."""
        if threading.current_thread() is not threading.main_thread():
            return nullcontext()
        return self

    def __enter__(self) -> AlarmGuard:
        signal.signal(signal.SIGALRM, self._ring)
        self._rang = False
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, self._seconds, AGAIN_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._armed = False
        finally:  # the alarm may ring just before the line above
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self._rang and not isinstance(error, OutOfTime):
            raise self._out_of_time() from error

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            self._rang = True
            raise self._out_of_time()

    def _out_of_time(self) -> OutOfTime:
        return OutOfTime(f"ran out of its time of {self._seconds:g} s")
