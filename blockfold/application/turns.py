"""Fair shares of time: nobody's work keeps the others from theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_Work = TypeVar("_Work")


def take_turns(
    works: Sequence[_Work],
    turn: Callable[[_Work, float], None],
    waits: Callable[[_Work], bool],
    monotonic: Callable[[], float],
    *,
    deadline: float,
) -> None:
    """Let each work have its turn, and those that still wait another, while there is time.

    A turn gets an equal share of what is left: what one does not use goes to those behind it,
    and then to those that were cut.

    Args:
        works: What is to be done, in the order of the turns.
        turn: Goes on with a work until a moment; it may take longer, at the others' expense.
        waits: Whether a work wants a turn, or another one.
        monotonic: Seconds, as the moments are counted in.
        deadline: No turn begins after it.
    """
    while waiting := [work for work in works if waits(work)]:
        for position, work in enumerate(waiting):
            left = deadline - monotonic()
            if left <= 0:
                return
            turn(work, deadline - left + left / (len(waiting) - position))
