"""Following a machine: its frames as they come."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from blockfold.runtime.frames import Frame, frames_of
from blockfold.runtime.session import Session

TAKEN = 100
"""Blocks whose frames are handed out at once."""


class Following:
    """How far one follower of a session is.

    Args:
        session: The session.
        after: The block after which to begin; the head if None.
        goes_on: Tells whether the session runs.
        bring: Brings what others wrote into blocks, and waits so many seconds for it.

    Attributes:
        bring: See above.
    """

    def __init__(
        self,
        session: Session,
        after: int | None,
        goes_on: Callable[[], bool],
        bring: Callable[[float], None],
    ) -> None:
        self.bring = bring
        self._session = session
        self._goes_on = goes_on
        self._seen = session.stores.head if after is None else after

    @property
    def goes_on(self) -> bool:
        """Whether more may come."""
        return self._goes_on()

    @property
    def more(self) -> bool:
        """Whether there is a block that it has not seen. Costs nothing."""
        return self._seen < self._session.stores.head

    def take(self) -> list[Frame]:
        """The frames of the next blocks; none if it has seen all."""
        found: list[Frame] = []
        past = self._session.past
        for block in islice(past.blocks(self._seen + 1, self._session.stores.head), TAKEN):
            found += frames_of(past, block)
            self._seen = block.number
        return found
