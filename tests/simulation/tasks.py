"""Processes that move one at a time: threads that hand a baton to each other.

The director gives a task the baton; the task gives it back when it waits for others or is over.
Between the two nothing else runs, so a run depends on its seed alone.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

_here = threading.local()


def here() -> Task:
    """The task whose code is running."""
    task: Task = _here.task
    return task


class Baton:
    """Given from one thread to one other."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def give(self) -> None:
        self._lock.release()

    def take(self) -> None:
        self._lock.acquire()


@dataclass(eq=False)
class Task:
    """Something that a process does.

    Attributes:
        name: What the story calls it.
        world: Where it runs.
        environment: Whose memory it uses.
        work: What it does.
        random: Its chances.
        began: When it began, milliseconds.
        deadline: When the platform ends it, milliseconds.
        until: It waits until then, milliseconds.
        heads: The number of each machine's head when it began.
        done: Called with the task when it is over.
        ended: Whether it is over.
        doomed: Whether it is to die at its next call.
        killed: Whether it died.
        froze: How often it was frozen.
        zombie: Whether it goes on though its time is over.
        answer: What it returned.
        error: What it ended with otherwise.
    """

    name: str
    world: Any
    environment: Any
    work: Callable[[Task], Any]
    random: Random
    began: int
    deadline: int
    until: int = 0
    heads: dict[str, int] = field(default_factory=dict)
    done: Callable[[Task], None] = lambda task: None
    ended: bool = False
    doomed: bool = False
    killed: bool = False
    froze: int = 0
    zombie: bool = False
    answer: Any = None
    error: BaseException | None = None
    _baton: Baton = field(default_factory=Baton)
    _worker: _Worker | None = None

    def go(self) -> None:
        """Called by the director: let it move until it waits or is over."""
        if self._worker is None:
            self._worker = _idle.pop() if _idle else _Worker()
            self._worker.task = self
            self._worker.baton.give()
        else:
            self._baton.give()
        _director.take()

    def wait(self) -> None:
        """Called by the task: let others move."""
        _director.give()
        self._baton.take()


class _Worker(threading.Thread):
    """Runs tasks, one after the other."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.baton = Baton()
        self.task: Task | None = None
        self.start()

    def run(self) -> None:
        while True:
            self.baton.take()
            task = self.task
            assert task is not None, "it was given one"
            _here.task = task
            try:
                task.answer = task.work(task)
            except BaseException as error:  # noqa: BLE001 - the director judges it
                task.error = error
            task.ended = True
            self.task = None
            _idle.append(self)
            _director.give()


_idle: list[_Worker] = []
_director = Baton()
