"""Time for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SetClock:
    """A clock that is set by hand."""

    seconds: float = 0.0

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")
