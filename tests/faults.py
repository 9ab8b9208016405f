"""Ports that fail or die at a chosen step.

Every call of a port's method is a step; so is every element that an iterator hands out and every
single row of a batch of writes. Run a workload once with `Faults` that do nothing: its ``steps``
name each step taken. Then run it again with a fault at each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from blockfold.domain.block import Block
from blockfold.domain.errors import Unavailable
from blockfold.ports import (
    BlockLog,
    MachineRecord,
    Machines,
    ObjectStore,
    Row,
    StateTable,
    Write,
)

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")

_T = TypeVar("_T")
_END = object()


class Killed(BaseException):
    """The process is gone: nothing in it may catch this."""


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
    """

    at: Collection[int] = ()
    moment: Moment = "before"
    strike: Callable[[], None] = kill
    steps: list[str] = field(default_factory=list)

    def step(self, name: str, do: Callable[[], _T]) -> _T:
        position = len(self.steps)
        self.steps.append(name)
        if position in self.at and self.moment == "before":
            self.strike()
        result = do()
        if position in self.at and self.moment == "after":
            self.strike()
        return result

    def iterate(self, name: str, make: Callable[[], Iterator[_T]]) -> Iterator[_T]:
        iterator = self.step(name, make)
        while (each := self.step(f"{name}.next", lambda: next(iterator, _END))) is not _END:
            yield each  # type: ignore[misc]


@dataclass(frozen=True)
class FaultyLog:
    """A `BlockLog` with faults."""

    inner: BlockLog
    faults: Faults

    def append(self, block: Block) -> None:
        self.faults.step("log.append", lambda: self.inner.append(block))

    def head(self, machine: str) -> Block | None:
        return self.faults.step("log.head", lambda: self.inner.head(machine))

    def get(self, machine: str, number: int) -> Block | None:
        return self.faults.step("log.get", lambda: self.inner.get(machine, number))

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        return self.faults.iterate("log.read", lambda: self.inner.read(machine, first, last))


@dataclass(frozen=True)
class FaultyTable:
    """A `StateTable` with faults; writes arrive one by one, in an order that is not the caller's."""

    inner: StateTable
    faults: Faults

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        return self.faults.step("table.get", lambda: self.inner.get(machine, keys))

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        return self.faults.iterate("table.scan", lambda: self.inner.scan(machine, prefix))

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        self.faults.step("table.write", lambda: None)
        for write in (*writes[1::2], *writes[::2]):
            self._write_one(machine, write)

    def _write_one(self, machine: str, write: Write) -> None:
        self.faults.step("table.write.row", lambda: self.inner.write(machine, [write]))


@dataclass(frozen=True)
class FaultyMachines:
    """A `Machines` register with faults."""

    inner: Machines
    faults: Faults

    def register(self, machine: str) -> MachineRecord:
        return self.faults.step("machines.register", lambda: self.inner.register(machine))

    def get(self, machine: str) -> MachineRecord | None:
        return self.faults.step("machines.get", lambda: self.inner.get(machine))

    def raise_flushed(self, machine: str, number: int) -> None:
        self.faults.step(
            "machines.raise_flushed", lambda: self.inner.raise_flushed(machine, number)
        )

    def list(self) -> Iterator[MachineRecord]:
        return self.faults.iterate("machines.list", self.inner.list)


@dataclass(frozen=True)
class FaultyObjects:
    """An `ObjectStore` with faults."""

    inner: ObjectStore
    faults: Faults

    def put_new(self, key: str, data: bytes) -> bool:
        return self.faults.step("objects.put_new", lambda: self.inner.put_new(key, data))

    def get(self, key: str) -> bytes | None:
        return self.faults.step("objects.get", lambda: self.inner.get(key))
