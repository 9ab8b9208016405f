"""Many small works that wait for services: several at once, in threads, until time runs out.

A work here is of one machine or of one object, and shares nothing with the next but stores and
clients, which any number of threads may use. What runs reducers is not done so: their time limits
are signals to the main thread (see `blockfold.application.lanes`).

What happens if the process dies: as many works as there are lanes were begun and not ended, each
as if it had died by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

from blockfold.domain.errors import BlockfoldError
from blockfold.ports import Clock, MachineRecord

FEW = 8
"""Up to so many works are done one after the other, without any thread."""

MACHINES = 8
"""Machines that a sweep looks at at once: each is a dozen requests that wait for each other."""

HEAVY = 3
"""Works at once that unpack segments or runs: a large block is 64 MiB, and held more than once."""

_Work = TypeVar("_Work")
_Answer = TypeVar("_Answer")

_END = object()


@dataclass(slots=True)
class Swept(Generic[_Answer]):
    """What a sweep over machines did.

    Attributes:
        done: What was answered, by machine, in the order in which machines had their turn.
        failed: The troubles, in that order, too.
    """

    done: dict[str, _Answer] = field(default_factory=dict)
    failed: list[BlockfoldError] = field(default_factory=list)

    def or_first_trouble(self) -> dict[str, _Answer]:
        """What was answered.

        Raises:
            BlockfoldError: The trouble of the first machine that had some.
        """
        if self.failed:
            raise self.failed[0]
        return self.done


def sweep(
    records: Sequence[MachineRecord],
    do: Callable[[MachineRecord], _Answer],
    clock: Clock,
    *,
    deadline: float,
) -> Swept[_Answer]:
    """Do the same for every machine, several of them at once.

    One machine's trouble keeps no other from its turn.

    Args:
        records: The machines, in the order of their turns.
        do: What to do; it must be safe beside itself for another machine.
        clock: Time.
        deadline: No machine's turn begins after it, by the clock's ``monotonic``.
    """
    answers: dict[int, _Answer | BlockfoldError] = {}

    def turn(numbered: tuple[int, MachineRecord]) -> None:
        position, record = numbered
        try:
            answers[position] = do(record)
        except BlockfoldError as error:
            answers[position] = error

    side_by_side(
        list(enumerate(records)), turn, lambda: clock.monotonic() < deadline, lanes=MACHINES
    )
    swept: Swept[_Answer] = Swept()
    for position, answer in sorted(answers.items(), key=lambda each: each[0]):
        if isinstance(answer, BlockfoldError):
            swept.failed.append(answer)
        else:
            swept.done[records[position].machine] = answer
    return swept


def side_by_side(
    works: Sequence[_Work], do: Callable[[_Work], None], in_time: Callable[[], bool], *, lanes: int
) -> bool:
    """Do works, some at once, begun in their order; whether all were done.

    Args:
        works: The works.
        do: Does one. It is called from several threads.
        in_time: Whether another one may begin.
        lanes: How many are done at once; no more than that is held of what they read.

    Raises:
        Exception: What a work raised. None begins after it, and those that were begun have ended.
    """
    queue = _Queue(works)

    def lane(_: int) -> bool:
        while (work := queue.next()) is not _END:
            if not in_time():
                return False
            try:
                do(work)
            except BaseException:
                queue.close()
                raise
        return True

    if len(works) <= FEW or lanes <= 1:
        return lane(0)
    with ThreadPoolExecutor(lanes) as pool:
        return all([*pool.map(lane, range(lanes))])


class _Queue:
    """Hands out each work once, to whoever asks first."""

    def __init__(self, works: Iterable[Any]) -> None:
        self._works = iter(works)
        self._lock = Lock()
        self._closed = False

    def next(self) -> Any:
        with self._lock:
            return _END if self._closed else next(self._works, _END)

    def close(self) -> None:
        with self._lock:
            self._closed = True
