"""Ports that fail or die at a chosen step.

Every call of a port's method is a step; so is every element that an iterator hands out and every
single row of a batch of writes. Run a workload once with `Faults` that do nothing: its ``steps``
name each step taken. Then run it again with a fault at each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from blockfold.domain.errors import Unavailable
from blockfold.ports import StateTable, Write

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")

_T = TypeVar("_T")
_END = object()


class Killed(BaseException):
    """The process is gone. Code that catches this gains nothing: see `Faults.dead`."""


def kill() -> None:
    raise Killed


def fail() -> None:
    raise Unavailable("injected: the service did not answer")


@dataclass
class Faults:
    """Takes steps, and does something before or after chosen ones.

    Attributes:
        at: Positions of the steps, counted from 0.
        moment: Whether the fault strikes before the step or after it.
        strike: The fault.
        steps: Names of the steps taken so far.
        dead: The process was killed: whatever it still tries has no effect.
    """

    at: Collection[int] = ()
    moment: Moment = "before"
    strike: Callable[[], None] = kill
    steps: list[str] = field(default_factory=list)
    dead: bool = False

    def step(self, name: str, do: Callable[[], _T]) -> _T:
        if self.dead:
            raise Killed
        position = len(self.steps)
        self.steps.append(name)
        if position in self.at and self.moment == "before":
            self._strike()
        try:
            return do()
        finally:  # a call that raised, for instance a lost race, is over too
            if position in self.at and self.moment == "after":
                self._strike()

    def _strike(self) -> None:
        try:
            self.strike()
        except Killed:
            self.dead = True
            raise

    def through(self, name: str, iterator: Iterator[_T]) -> Iterator[_T]:
        """Hand out the elements, each of them a step."""
        while (each := self.step(name, lambda: next(iterator, _END))) is not _END:
            yield each  # type: ignore[misc]


def faulty(name: str, port: _T, faults: Faults) -> _T:
    """A port whose methods are steps, named ``<name>.<method>``."""
    return cast("_T", _Faulty(name, port, faults))


def torn(table: StateTable, faults: Faults) -> StateTable:
    """A `faulty` state table that stores the rows of a write one by one, each of them a step."""
    return cast("StateTable", _Torn("table", table, faults))


class _Faulty:
    def __init__(self, name: str, port: object, faults: Faults) -> None:
        self._name = name
        self._port = port
        self._faults = faults

    def __getattr__(self, method: str) -> Callable[..., object]:
        name = f"{self._name}.{method}"
        call: Callable[..., object] = getattr(self._port, method)

        def step(*args: object, **named: object) -> object:
            result = self._faults.step(name, lambda: call(*args, **named))
            if isinstance(result, Iterator):
                return self._faults.through(f"{name}.next", result)
            return result

        return step


class _Torn(_Faulty):
    _port: StateTable

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """Store the rows in an order that is not the caller's, as batches of many would."""
        self._faults.step("table.write", lambda: None)
        for write in (*writes[1::2], *writes[::2]):
            self._write(machine, write)

    def _write(self, machine: str, write: Write) -> None:
        self._faults.step("table.write.row", lambda: self._port.write(machine, [write]))
