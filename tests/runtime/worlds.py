"""Machines that run as plain objects in tests, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from blockfold.adapters.manual_clock import ManualClock
from blockfold.domain.canonical import Json
from blockfold.recorders.protocol import Frame
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime import MemoryChannel, Runtime, Written
from tests.machines_for_tests import Cells

MACHINE = "m"


def numbered() -> Callable[[], str]:
    """Ids of messages that are the same in every run."""
    numbers = count(1)
    return lambda: f"message-{next(numbers)}"


def cells(machine: str = MACHINE, **options: Any) -> Runtime:
    """A machine that does what it is told; not started."""
    options = {"clock": ManualClock(), **options}
    if "channel" not in options and "reader" not in options:
        options["channel"] = MemoryChannel(new_id=numbered())
    return Runtime(Cells(), machine, **options)


def put(runtime: Runtime, key: str, value: Json) -> Written:
    """Set a key, by an action."""
    return runtime.write("run", steps=[{"do": "set", "key": key, "value": value}])


def drop(runtime: Runtime, key: str) -> Written:
    """Delete a key, by an action."""
    return runtime.write("run", steps=[{"do": "delete", "key": key}])


def refuse(runtime: Runtime) -> Written:
    """An action that changes nothing."""
    return runtime.write("run", steps=[], end="reject")


def grow(runtime: Runtime, numbers: Sequence[int]) -> None:
    """An action a number, each another state."""
    for number in numbers:
        put(runtime, f"key/{number % 5}", number)


@dataclass
class Plain:
    """A recorder that a user wrote: whole states, one newer than the other, in a dictionary.

    Attributes:
        told: What it was told: block, position, action's type, state.
        kept: Snapshots as bytes.
    """

    told: list[tuple[int, int, object, dict[str, Json]]] = field(default_factory=list)
    kept: dict[int, bytes] = field(default_factory=dict)
    newest: Frame | None = None

    def after_dispatch(self, frame: Frame) -> None:
        action = frame.action["type"] if frame.action else None
        self.told.append((frame.number, frame.position, action, dict(frame.state)))
        self.newest = frame

    def create_snapshot(self) -> int | None:
        if self.newest is None or not self.newest.number:
            return None
        self.kept[self.newest.number] = self.newest.snapshot().to_bytes()
        return self.newest.number

    def get_snapshots(self) -> list[int]:
        return sorted(self.kept)

    def load_snapshot(self, id: int | None = None) -> Snapshot | None:  # noqa: A002
        number = max(self.kept, default=None) if id is None else id
        return Snapshot.from_bytes(self.kept[number]) if number in self.kept else None
