"""Following a machine: its frames as they come."""

from __future__ import annotations

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
    """

    def __init__(self, session: Session, after: int | None) -> None:
        self.session = session
        self._seen = session.stores.head if after is None else after

    @property
    def more(self) -> bool:
        """Whether there is a block that it has not seen. Costs nothing."""
        return self._seen < self.session.stores.head

    def take(self) -> list[Frame]:
        """The frames of the next blocks; none if it has seen all."""
        found: list[Frame] = []
        past = self.session.past
        for block in islice(past.blocks(self._seen + 1, self.session.stores.head), TAKEN):
            found += frames_of(past, block)
            self._seen = block.number
        return found
