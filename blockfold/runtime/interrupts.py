"""Ctrl-C while a reducer runs: that action ends, as one out of time does, and then the caller.

Else the domain would take the interrupt for the reducer's own error, and nobody would be
interrupted. That the action was ended is recorded as a fact, which no replay repeats.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import current_thread, main_thread
from types import FrameType, TracebackType

from blockfold.domain.apply import Guard
from blockfold.domain.errors import OutOfTime


class Interrupts:
    """A `Guard` around another one, which tells Ctrl-C from what a reducer raises itself.

    Watches in the main thread alone, where Python handles signals, and only as long as nobody
    else's handler is in place.

    Args:
        guard: The other one.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pressed = False
        self._inner: AbstractContextManager[object] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A time in which reducers run."""
        before = signal.getsignal(signal.SIGINT)
        if current_thread() is not main_thread() or before is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def taken(self) -> bool:
        """Whether somebody pressed Ctrl-C since this was last asked."""
        pressed, self._pressed = self._pressed, False
        return pressed

    def __call__(self) -> Interrupts:
        """See `Guard`: one reducer runs at a time."""
        return self

    def __enter__(self) -> None:
        self._inner = self._guard()
        self._inner.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._inner is not None, "it was entered"
        if self._pressed and isinstance(error, KeyboardInterrupt):
            error = OutOfTime("was interrupted")
            self._inner.__exit__(OutOfTime, error, trace)
            raise error
        self._inner.__exit__(kind, error, trace)

    def _press(self, number: int, frame: FrameType | None) -> None:
        self._pressed = True
        signal.default_int_handler(number, frame)
