"""What was pushed since somebody last waited for it, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import RLock

from blockfold.application.outcomes import ActionOutcome
from blockfold.domain.errors import Refused
from blockfold.producer.parcel import Parcel

MOST_RUNS = 100_000
"""Runs of actions in one message that are kept for `wait`. Each message begins one, and so
does each change of machine. A run takes some 70 bytes, its message 560: 65 MB at the most."""


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive actions of one parcel, in the order in which they were pushed.

    Attributes:
        parcel: The parcel.
        first: Position of the first one.
        actions: How many.
    """

    parcel: Parcel
    first: int
    actions: int = 1


class Runs:
    """Notes which actions were pushed; bounded, for producers that nobody waits for.

    Args:
        lock: Guards it.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._runs: list[Run] = []
        self._forgot = False

    def note(self, parcel: Parcel, position: int) -> None:
        """An action was pushed. The caller holds the lock."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last.parcel is parcel and last.first + last.actions == position:
            last.actions += 1
        elif not self._forgot:
            self._runs.append(Run(parcel, position))
            if len(self._runs) > MOST_RUNS:
                self._runs, self._forgot = [], True

    def take(self) -> list[Run]:
        """What was noted since the last call.

        Raises:
            Refused: It was too much to be kept.
        """
        with self._lock:
            runs, self._runs = self._runs, []
            forgot, self._forgot = self._forgot, False
        if forgot:
            raise Refused(
                f"more was pushed since the last wait() than is kept: {MOST_RUNS:,} runs of "
                "actions in one message",
                hint="call wait() more often, or wait for single actions: push(…).wait()",
            )
        return runs

    def give_back(self, runs: list[Run]) -> None:
        """Put what was taken in front again."""
        with self._lock:
            self._runs[:0] = runs


def outcomes_of(runs: Sequence[Run]) -> list[ActionOutcome]:
    """What became of the actions of runs whose parcels were all found, in order."""
    found: list[ActionOutcome] = []
    for run in runs:
        assert run.parcel.outcomes is not None, "the parcel was found"
        found.extend(run.parcel.outcomes[run.first : run.first + run.actions])
    return found
