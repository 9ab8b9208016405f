"""The dumper as an object: every call in every state, beside the Lambda function's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blockfold import Runtime
from blockfold.adapters.manual_clock import ManualClock
from blockfold.application.dump import Status
from blockfold.domain.errors import Misconfigured
from blockfold.domain.policy import Policy
from blockfold.recorders import MemoryRecorder
from tests.lambdas.conftest import LambdaContext
from tests.lambdas.handlers import imported
from tests.properties.histories import MACHINE
from tests.runtime.worlds import cells, grow, put
from tests.snapshots.stack import Stack
from tests.snapshots.test_dumper_calls import CALLS, HEAD, STATES, TABLE, After

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

module = imported("dumper")


class Beside:
    """Makes each call to the object and to the Lambda function, which must answer the same."""

    def __init__(self, runtime: Runtime) -> None:
        self._dumper = runtime.dumper

    def _both(self, status: Status, name: str, **fields: Any) -> Status:
        call = {"machine": MACHINE, "command": name, **fields}
        answer = module.handler(call, LambdaContext(900_000))
        told = {field: getattr(status, field) for field in answer}
        assert told == answer
        assert status.reason == answer.get("reason")
        assert status.policy == answer.get("policy")
        return status

    def start(self, _machine: str) -> Status:
        return self._both(self._dumper.start(), "start")

    def stop(self, _machine: str) -> Status:
        return self._both(self._dumper.stop(), "stop")

    def set_count(self, _machine: str, count: object) -> Status:
        return self._both(self._dumper.set_count(count), "set_count", count=count)

    def set_policy(self, _machine: str, **fields: object) -> Status:
        return self._both(self._dumper.set_policy(**fields), "set_policy", **fields)

    def dump_now(self, _machine: str, at: int | None = None) -> Status:
        return self._both(self._dumper.dump(at), "dump", at=at)

    def status(self, _machine: str) -> Status:
        return self._both(self._dumper.status(), "status")


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Beside:
    """A machine as an object, and one on a stack, of seven blocks each."""
    stack = Stack()
    stack.grow(HEAD)
    monkeypatch.setattr(module, "_dumper", stack.dumper)
    runtime = cells(MACHINE).start()
    grow(runtime, range(HEAD))
    return Beside(runtime)


@pytest.mark.parametrize(("call", "state", "after", "changed", "reason"), TABLE)
def test_a_call(
    both: Beside, call: str, state: str, after: After, changed: bool, reason: str | None
) -> None:
    STATES[state](both)  # type: ignore[arg-type]
    answer = CALLS[call](both)  # type: ignore[arg-type]
    assert answer.machine == MACHINE
    assert After(answer.running, answer.count, answer.next_due, answer.policy) == after
    assert answer.changed is changed
    assert (reason is None) == (answer.reason is None)
    assert answer.last_snapshot == {"dump": HEAD, "dump at": 3}.get(call)


@pytest.mark.parametrize("call", CALLS)
def test_initialised_with_a_count_it_does_not_start(call: str) -> None:
    """As with the count given by `set_count`, and then stopped."""
    with cells(count=5) as runtime, cells() as other:
        for each in (runtime, other):
            grow(each, range(HEAD))
        assert After(False, 5, None) == shown(runtime.dumper.status())
        other.dumper.set_count(5)
        other.dumper.stop()
        found, wanted = (CALLS[call](Alone(each)) for each in (runtime, other))  # type: ignore[arg-type]
        assert shown(found) == shown(wanted)
        assert (found.changed, found.reason) == (wanted.changed, wanted.reason)
        assert taken(runtime) == ([found.last_snapshot] if found.last_snapshot else [])


@pytest.mark.parametrize("count", [0, -1, "x", True])
def test_a_count_that_can_be_none_is_refused_at_once(count: Any) -> None:
    with pytest.raises(Misconfigured, match="count must be a whole number"):
        cells(count=count)


class Alone(Beside):
    def _both(self, status: Status, name: str, **fields: Any) -> Status:
        return status


def shown(status: Status) -> After:
    return After(status.running, status.count, status.next_due, status.policy)


def taken(runtime: Runtime) -> list[int]:
    assert isinstance(runtime.recorder, MemoryRecorder)
    return runtime.recorder.get_snapshots()


# -- what it makes ---------------------------------------------------------------------------------


SCRIPTS: dict[str, tuple[list[tuple[int, str, object]], list[int]]] = {
    "never started": ([], []),
    "from the first block": ([(0, "set_count", 3)], [3, 6, 9, 12]),
    "begun late": ([(4, "set_count", 3)], [6, 9, 12]),
    "stopped meanwhile": ([(0, "set_count", 3), (4, "stop", None), (7, "start", None)], [3, 9, 12]),
    "another count": ([(0, "set_count", 5), (6, "set_count", 4)], [5, 8, 12]),
    "nonsense": ([(0, "set_count", 6), (4, "set_count", -1)], [6, 12]),
    "forgotten": ([(0, "set_count", 3), (5, "set_count", None), (7, "start", None)], [3]),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_snapshots_stand_on_multiples_as_soon_as_their_block_does(script: str) -> None:
    calls, due = SCRIPTS[script]
    with cells() as runtime:
        for number in range(13):
            for at, name, argument in calls:
                if at == number:
                    call: Callable[..., Status] = getattr(runtime.dumper, name)
                    call(*(() if name in {"start", "stop"} else (argument,)))
            if number:
                put(runtime, "k", number)
            assert taken(runtime) == [each for each in due if each <= number]
        assert runtime.verify().findings == []


def test_a_fold_of_many_blocks_makes_all_that_are_due() -> None:
    with cells() as runtime:
        runtime.dumper.set_count(4)
        runtime.write_many([{"type": "run", "args": {"steps": []}}] * 10)
        assert taken(runtime) == [4, 8]
        assert runtime.dumper.status().next_due == 12


def test_a_dump_of_the_past_is_of_exactly_that_block() -> None:
    with cells() as runtime:
        grow(runtime, range(6))
        assert runtime.dumper.dump(4).last_snapshot == 4
        found = runtime.recorder.load_snapshot(4)  # type: ignore[attr-defined]
        assert found.state == runtime.at(block=4).state


# -- policies --------------------------------------------------------------------------------------


def test_a_policy_makes_a_snapshot_when_it_is_quiet() -> None:
    clock = ManualClock()
    with cells(clock=clock) as runtime:
        assert runtime.dumper.set_policy(quiet=30).policy == {"quiet": 30, "quiet_most": 600}
        for number in range(3):
            put(runtime, "k", number)
            clock.advance(20)
        assert taken(runtime) == []
        clock.advance(11)
        assert taken(runtime) == [3]
        clock.advance(500)
        assert taken(runtime) == [3]


def test_under_steady_traffic_a_policy_has_an_upper_bound() -> None:
    clock = ManualClock()
    with cells(clock=clock, policy=Policy(quiet=30, quiet_most=100)) as runtime:
        runtime.dumper.start()
        for number in range(40):
            put(runtime, "k", number)
            clock.advance(10)
        assert len(taken(runtime)) == pytest.approx(4, abs=1)


def test_a_policy_that_is_initialised_does_not_start_and_asks_nothing_after_the_stop() -> None:
    clock = ManualClock()
    runtime = cells(clock=clock, policy=Policy(minutes=1)).start()
    put(runtime, "k", 1)
    clock.advance(200)
    assert taken(runtime) == []
    runtime.dumper.start()
    put(runtime, "k", 2)
    runtime.stop()
    before = taken(runtime)
    clock.advance(200)
    assert taken(runtime) == before == [2]
