"""What catching up tells: how far it came, and how much it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blockfold.domain.errors import Unavailable
from blockfold.ports import Write


@dataclass(slots=True)
class Counts:
    """How much was written.

    Attributes:
        written: Keys stored.
        deleted: Keys deleted.
    """

    written: int = 0
    deleted: int = 0

    def add(self, writes: Iterable[Write]) -> None:
        """Count some writes more."""
        for write in writes:
            if write.value is None:
                self.deleted += 1
            else:
                self.written += 1


@dataclass(slots=True)
class CaughtUp:
    """What was done.

    Attributes:
        number: The block that the table stands at.
        restores: For each restore and fork block on the way, what was done for it.
    """

    number: int
    restores: dict[int, Counts] = field(default_factory=dict)


class Behind(Unavailable):
    """Time ran out before the state table had caught up; a further run goes on from there.

    Args:
        message: What was attempted.
        done: What was done so far.
    """

    def __init__(self, message: str, done: CaughtUp) -> None:
        super().__init__(message, hint="the next call goes on from there")
        self.done = done


@dataclass(frozen=True, slots=True)
class Filled:
    """What was done for some of the keys of a restore.

    Attributes:
        done: Whether nothing is left of them.
        written: Keys stored now.
        deleted: Keys deleted now.
    """

    done: bool
    written: int = 0
    deleted: int = 0
