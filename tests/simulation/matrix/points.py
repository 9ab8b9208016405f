"""The points at which a use case may be struck, told from its calls.

Two points between which no service changed leave the same behind when a process dies: it is gone
with all that it knew. So of those only one is run, but all are counted. A call that only reads is
failed once: what it would have answered has no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WRITES = {
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchExecuteStatement",
    "BatchWriteItem",
    "PutObject",
    "DeleteObject",
    "DeleteObjects",
    "PutEvents",
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibilityBatch",
    "UpdateEventSourceMapping",
    "UpdateFunctionConfiguration",
}
"""Operations with an effect: these may fail after it, too, and may be sent twice."""

CRASHES = ("crash before", "crash after", "crash between parts")
FAILURES = ("fail", "lose the answer", "twice", "conflict", "part fails", "part's answer is lost")


@dataclass(frozen=True, slots=True)
class Point:
    """Where and how a use case is struck.

    Attributes:
        call: The position of the call among those of the use case, from 0.
        how: One of `CRASHES` and `FAILURES`.
        part: The position of the part in its batch; -1 if the call as a whole is struck.
    """

    call: int
    how: str
    part: int = -1

    @property
    def is_crash(self) -> bool:
        """Whether the process dies."""
        return self.how in CRASHES


@dataclass(slots=True)
class Step:
    """A call that a use case made.

    Attributes:
        function: Whose process made it.
        name: Service and operation.
        writes: Whether it has an effect.
        conditional: Whether it is a conditional write of an object.
        before: A fingerprint of what the services held before it.
        after: The same after it.
        parts: The same before each of its parts, if it is a batch.
    """

    function: str
    name: str
    writes: bool
    conditional: bool
    before: str
    after: str
    parts: list[str]


def crashes(steps: Sequence[Step]) -> list[Point]:
    """All points at which the process may die."""
    found = []
    for at, step in enumerate(steps):
        found.append(Point(at, "crash before"))
        if step.writes:
            found += [Point(at, "crash between parts", part) for part in range(1, len(step.parts))]
        found.append(Point(at, "crash after"))
    return found


def distinct(steps: Sequence[Step]) -> list[Point]:
    """Those of `crashes` that leave different things behind."""
    seen: set[tuple[int, str]] = set()
    found = []
    for point in crashes(steps):
        left = (_process(steps, point.call), _left(steps[point.call], point))
        if left not in seen:
            seen.add(left)
            found.append(point)
    return found


def _process(steps: Sequence[Step], at: int) -> int:
    """Which of the processes, one after the other, makes a call."""
    return sum(one.function != other.function for one, other in pairwise(steps[: at + 1]))


def _left(step: Step, point: Point) -> str:
    if point.how == "crash before":
        return step.before
    return step.parts[point.part] if point.part >= 0 else step.after


def failures(steps: Sequence[Step]) -> list[Point]:
    """All points at which a call, or a part of one, may fail."""
    found = []
    for at, step in enumerate(steps):
        found.append(Point(at, "fail"))
        if step.writes:
            found += [Point(at, "lose the answer"), Point(at, "twice")]
        if step.conditional:
            found.append(Point(at, "conflict"))
        if len(step.parts) > 1:
            for part in range(len(step.parts)):
                found.append(Point(at, "part fails", part))
                if step.writes:
                    found.append(Point(at, "part's answer is lost", part))
    return found
