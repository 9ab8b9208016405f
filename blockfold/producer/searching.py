"""A search for parcels in the logs of their machines, look by look."""

from __future__ import annotations

from collections.abc import Iterable

from blockfold.domain.errors import Unavailable
from blockfold.producer.following import Followers
from blockfold.producer.parcel import Parcel
from blockfold.producer.patience import Patience

FIRST_POLL = 0.05
LAST_POLL = 1.0
"""Seconds between two looks: half as long again after each in vain, from the first after others."""


class Search:
    """Looks until all parcels are found, each machine's log by itself.

    Args:
        followers: What reads the logs.
        parcels: What is looked for. Whoever searches holds them meanwhile.
        patience: How long it may take.
    """

    def __init__(self, followers: Followers, parcels: Iterable[Parcel], patience: Patience) -> None:
        self._followers = followers
        self._patience = patience
        self._missing: dict[str, list[Parcel]] = {}
        self._steps = 0
        self._pause = FIRST_POLL
        for parcel in dict.fromkeys(parcels):
            if parcel.outcomes is None:
                self._missing.setdefault(parcel.machine, []).append(parcel)

    def look(self) -> float:
        """Read what is new; how many seconds to wait before the next look, 0 if all was found.

        Raises:
            Unavailable: There is no time left, or a log could not be read.
            Corrupted: A log is damaged.
        """
        moved = False
        for machine in [*self._missing]:
            moved = self._followers.look(machine) or moved
            left = [each for each in self._missing[machine] if each.outcomes is None]
            if left:
                self._missing[machine] = left
            else:
                del self._missing[machine]
        if not self._missing:
            return 0.0
        self._steps += moved
        self._pause = FIRST_POLL if moved else min(self._pause * 1.5, LAST_POLL)
        left_seconds = self._patience.left(self._steps)
        if left_seconds is None:
            return self._pause
        if left_seconds <= 0:
            raise self._overdue()
        return min(self._pause, left_seconds)

    def _overdue(self) -> Unavailable:
        machine, parcels = max(self._missing.items(), key=lambda each: len(each[1]))
        actions = sum(each.actions for some in self._missing.values() for each in some)
        others = f" (and {len(self._missing) - 1:,} others wait)" if len(self._missing) > 1 else ""
        return Unavailable(
            f"{actions:,} actions that SQS has acknowledged stand in no block after "
            f"{self._patience}: machine {machine!r} stands at block "
            f"{self._followers.seen(machine)} without message {parcels[0].count} of this "
            f"producer{others}",
            hint="they wait in the queue: look at the executor's log and at the dead-letter queue",
        )
