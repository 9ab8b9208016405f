"""Waiting between the tries of a partly refused batch, which the SDK does not try again."""

from __future__ import annotations

import random
import time

from blockfold.domain.errors import Unavailable

ATTEMPTS = 8
FIRST_SECONDS = 0.05
LONGEST_SECONDS = 2.0


class Backoff:
    """Full-jitter exponential waits, and an end to them.

    Args:
        attempt: What is being attempted, for the error.
    """

    def __init__(self, attempt: str) -> None:
        self._attempt = attempt
        self._tries = 0

    def wait(self, reason: str) -> None:
        """Wait before the next try.

        Raises:
            Unavailable: There were enough tries.
        """
        self._tries += 1
        if self._tries >= ATTEMPTS:
            raise Unavailable(f"{self._attempt} after {ATTEMPTS} tries: {reason}")
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2**self._tries)
        time.sleep(random.uniform(0, longest))  # noqa: S311 - spreads retries, keeps no secret
