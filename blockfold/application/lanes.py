"""Several works at once: their calls to services overlap, their own code never does.

A work is a generator: it yields a call, and is sent the call's answer or thrown its error. The
calls of different works run in threads; what stands between them, reducers above all, runs in the
caller's thread, one work after the other. So nothing that a work keeps needs a lock, and time
limits by signals go on working.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

LANES = 8
"""Calls at once. Each takes milliseconds, most of them waiting; ten groups come in a batch."""

Call = Callable[[], Any]
Steps = Generator[Call, Any, None]

_Work = TypeVar("_Work")


@dataclass(slots=True)
class Share:
    """How long a work may go on, told anew at each of its steps.

    Attributes:
        until: The moment, as the clock's ``monotonic`` counts.
    """

    until: float


def carry_out(steps: Steps) -> None:
    """Carry out one work by itself, its calls one after the other."""
    call = _next(steps, None)
    while call is not None:
        call = _next(steps, call)


def share_lanes(
    works: Iterable[_Work],
    begin: Callable[[_Work, Share], Steps],
    monotonic: Callable[[], float],
    *,
    deadline: float,
) -> None:
    """Carry out works, the calls of some while another one's own code runs.

    At each step a work gets an equal share of the time that is left: what one does not use goes to
    the others.

    Args:
        works: In the order of their first steps.
        begin: Makes a work's steps. It must not raise, and its own code keeps to the share.
        monotonic: Seconds, as the moments are counted in.
        deadline: No work begins after it; one that was begun is told that its share is over.
    """
    todo = deque((begin(work, share), share) for work in works for share in [Share(deadline)])
    if len(todo) == 1:
        if monotonic() < deadline:
            carry_out(todo[0][0])
        return
    begun: set[int] = set()
    flying: dict[Future[Any], tuple[Steps, Share]] = {}
    with ThreadPoolExecutor(LANES) as pool:
        answers: dict[int, Future[Any]] = {}
        while todo or flying:
            if flying:
                done = wait(flying, timeout=0 if todo else None, return_when=FIRST_COMPLETED).done
                for future in [each for each in flying if each in done]:  # in the order of calls
                    steps, share = flying.pop(future)
                    answers[id(steps)] = future
                    todo.append((steps, share))
            if not todo:
                continue
            steps, share = todo.popleft()
            now = monotonic()
            if now >= deadline and id(steps) not in begun:
                steps.close()
                continue
            begun.add(id(steps))
            share.until = min(deadline, now + (deadline - now) / (1 + len(todo) + len(flying)))
            answer = answers.pop(id(steps), None)
            call = _next(steps, answer.result if answer is not None else None)
            if call is not None:
                flying[pool.submit(call)] = steps, share


def _next(steps: Steps, call: Call | None) -> Call | None:
    """Go on with a work, with the answer or error of its last call; None if it is done."""
    try:
        if call is None:
            return next(steps)
        try:
            answer = call()
        except Exception as error:  # noqa: BLE001 - it is the work's own to handle
            return steps.throw(error)
        return steps.send(answer)
    except StopIteration:
        return None
