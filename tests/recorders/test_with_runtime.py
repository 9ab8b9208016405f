"""The recorders under the runtime itself: what it is told of is what comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blockfold import Context, Machine, State, action
from blockfold.adapters.manual_clock import ManualClock
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.application.restore import Target
from blockfold.recorders import FileRecorder, MemoryRecorder
from blockfold.runtime.runtime import Runtime
from tests.properties.histories import NEVER
from tests.rebuild.world import World
from tests.recorders.test_contract import page
from tests.recorders.test_stack import restorer, verified

__all__ = ["page"]


class Counter(Machine):
    """Counts."""

    @action
    def add(self, state: State, context: Context, key: str, by: int) -> None:
        state[key] = state.get(key, 0) + by


@pytest.fixture(params=["memory", "file", "page"])
def make(request: pytest.FixtureRequest, tmp_path: Path, page: Any) -> Callable[[], Any]:
    """Gives a recorder of each kind, as each new process would make it."""
    objects = MemoryObjectStore()
    kinds: dict[str, Callable[[], Any]] = {
        "memory": lambda: MemoryRecorder("counter", objects=objects),
        "file": lambda: FileRecorder(tmp_path / "kept", "counter", quiet=None),
        "page": lambda: page.SqliteRecorder(tmp_path / "kept.db", "counter"),
    }
    return kinds[request.param]


def test_a_machine_goes_on_where_it_was_stopped(make: Callable[[], Any]) -> None:
    clock = ManualClock()
    expected: dict[str, int] = {}
    for life in range(3):
        with Runtime(Counter(), recorder=make(), clock=clock) as runtime:
            assert dict(runtime.state) == expected
            for number in range(4):
                key = f"key/{number % 3}"
                runtime.write("add", key=key, by=number + life)
                expected[key] = expected.get(key, 0) + number + life
            assert runtime.head.number == 4 * (life + 1)
        clock.advance(60)
    found = make().load_snapshot()
    assert (found.number, found.state) == (12, expected)


def test_what_the_runtime_leaves_is_a_stack_s_machine() -> None:
    world = World()
    recorder = MemoryRecorder("counter", objects=world.objects)
    with Runtime(Counter(), recorder=recorder, clock=ManualClock()) as runtime:
        for number in range(6):
            runtime.write("add", key=f"key/{number % 3}", by=number)
        runtime.undo()
        runtime.restore(3)
        runtime.write("add", key="last", by=1)
        state, head = dict(runtime.state), runtime.head
    number = recorder.get_snapshots()[-1]
    assert number == head.number
    restorer(world).carry_out(Target("counter", snapshot=number, fork="grove"), deadline=NEVER)
    assert world.stored("grove") == state
    assert world.rebuild("counter").hash == head.hash
    assert world.stored("counter") == state
    found = verified(world, "counter")
    assert found.ok, found.findings


def test_quiet_is_counted_by_the_runtime_s_clock(tmp_path: Path) -> None:
    clock = ManualClock()
    recorder = FileRecorder(tmp_path, "counter", clock=clock)
    with Runtime(Counter(), recorder=recorder, clock=clock) as runtime:
        runtime.write("add", key="a", by=1)
        assert recorder.get_snapshots() == []
        clock.advance(5)
        assert recorder.get_snapshots() == [1]
        runtime.write("add", key="a", by=1)
    assert recorder.get_snapshots() == [1, 2]
