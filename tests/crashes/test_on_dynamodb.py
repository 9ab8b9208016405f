"""The executor on real adapters, killed before, after and in the middle of AWS calls (law 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import Any

import pytest

from blockfold.adapters.clients import Clients
from blockfold.adapters.dynamodb import state
from blockfold.application.execute import Executor
from blockfold.bootstrap import Adapters, executor
from blockfold.settings import Settings
from tests.contracts import resources
from tests.contracts.samples import noise
from tests.crashes.workload import (
    LIMITS,
    Fleet,
    Queue,
    StoppedClock,
    Stores,
    act,
    assert_done,
    assert_sound,
    entries,
    outcomes,
)
from tests.emulator import BareEmulator
from tests.faults import MOMENTS, Faults, Killed, Moment

SCRIPT = (
    act("add", name="a", amount=1),
    act("fill", count=30, text="x"),
    [act("note", text=noise(24_000)), act("drop", name="nobody")],
    [act("drop", name="fill/000"), act("add", name="a", amount=2), act("sweep")],
    act("fill", count=10, text="y"),
)

_machines = count(1)

Call = Callable[[str, dict[str, Any]], Any]


class Tap:
    """Clients whose calls are steps of whichever faults are plugged in."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.faults = Faults()
        self._running: tuple[Call, str, dict[str, Any]] | None = None
        for client in (clients.dynamodb, clients.s3):
            self._through(client)

    def tear(self) -> None:
        """Half of the running batch of statements is done, then the process is gone."""
        assert self._running is not None
        call, operation, request = self._running
        assert operation == "BatchExecuteStatement"
        statements = request["Statements"]
        call(operation, {**request, "Statements": statements[: len(statements) // 2]})
        raise Killed

    def _through(self, client: Any) -> None:
        call = client._make_api_call

        def step(operation: str, request: dict[str, Any]) -> Any:
            self._running = (call, operation, request)
            return self.faults.step(operation, lambda: call(operation, request))

        client._make_api_call = step


@dataclass
class AwsStores(Stores):
    """Stores on AWS: processes reach them through the tap, checks do not."""

    settings: Settings = field(kw_only=True)
    tap: Tap = field(kw_only=True)

    def executor(self, faults: Faults) -> Executor:
        self.tap.faults = faults
        wired = executor(Adapters(self.settings, self.tap.clients))
        return replace(wired, clock=StoppedClock(), limits=LIMITS)


NewStores = Callable[[], AwsStores]


@pytest.fixture(autouse=True)
def one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests one after the other: a process dies at a call that has a place among them."""
    monkeypatch.setattr(state, "LANES", 1)


@pytest.fixture(scope="module")
def new_stores(emulator: BareEmulator) -> NewStores:
    """Makes the stores of a machine that nobody used yet."""
    clients = resources.clients_of(emulator)
    settings = resources.make(clients, machine="tests.crashes.workload:Ledger")
    untapped, tap = Adapters(settings, clients), Tap(resources.clients_of(emulator))
    return lambda: AwsStores(
        untapped.log,
        untapped.table,
        untapped.machines,
        f"aws-{next(_machines)}",
        settings=settings,
        tap=tap,
    )


def run(stores: Stores, faults: Faults) -> Fleet:
    """Drain the script through executors on the stores, then hold the outcome against memory."""
    queue, fleet = Queue.of(SCRIPT), Fleet(stores, faults)
    queue.drain(fleet.fold)
    assert_done(stores, queue)
    model, again = Stores(machine=stores.machine), Queue.of(SCRIPT)
    again.drain(Fleet(model, Faults()).fold)
    assert entries(stores) == entries(model)
    assert outcomes(stores) == outcomes(model)
    return fleet


def rehearse(stores: Stores) -> list[str]:
    return run(stores, Faults()).faults.steps


def test_the_rehearsal_makes_every_kind_of_call(new_stores: NewStores) -> None:
    steps = rehearse(new_stores())
    assert set(steps) == {
        "GetItem",
        "UpdateItem",
        "Query",
        "PutItem",
        "PutObject",
        "ListObjectsV2",
        "BatchGetItem",
        "BatchExecuteStatement",
    }
    assert ("BatchExecuteStatement", "BatchExecuteStatement") in pairwise(steps)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_around_any_call(new_stores: NewStores, moment: Moment) -> None:
    steps = rehearse(new_stores())
    for position, name in enumerate(steps):
        fleet = run(new_stores(), Faults({position}, moment))
        assert fleet.deaths == 1, f"{moment} call {position}, {name}"


def test_killed_in_the_middle_of_any_batch(new_stores: NewStores) -> None:
    steps = rehearse(new_stores())
    batches = [at for at, name in enumerate(steps) if name == "BatchExecuteStatement"]
    for position in batches:
        stores = new_stores()
        fleet = run(stores, Faults({position}, "before", stores.tap.tear))
        assert fleet.deaths == 1, f"in the middle of call {position}"


@pytest.fixture
def fill() -> Queue:
    return Queue.of([act("add", name="a", amount=1), act("fill", count=60, text="x")])


def test_case_a_killed_after_the_commit(new_stores: NewStores, fill: Queue) -> None:
    stores = new_stores()
    steps = rehearsed(new_stores(), fill)
    fleet = Fleet(stores, Faults({steps.index("PutItem")}, "after"))

    assert fleet.fold(fill.batch()) is None
    assert len(stores.blocks()) == 1
    assert stores.rows() == {}
    assert stores.flushed() == 0
    fill.drain(fleet.fold)

    assert len(stores.blocks()) == 1
    assert len(stores.rows()) == 61
    assert_done(stores, fill)


@pytest.mark.parametrize("torn", [False, True])
def test_case_b_killed_half_way_through_the_state_batches(
    new_stores: NewStores, fill: Queue, torn: bool
) -> None:
    stores = new_stores()
    steps = rehearsed(new_stores(), fill)
    second = steps.index("BatchExecuteStatement") + 1
    assert steps[second : second + 2] == ["BatchExecuteStatement"] * 2
    faults = Faults({second}, "before", stores.tap.tear) if torn else Faults({second}, "after")
    fleet = Fleet(stores, faults)

    assert fleet.fold(fill.batch()) is None
    assert len(stores.rows()) == (25 + 12 if torn else 50)
    assert stores.flushed() == 0
    assert_sound(stores)
    fill.drain(fleet.fold)

    assert len(stores.blocks()) == 1
    assert len(stores.rows()) == 61
    assert_done(stores, fill)


def test_case_c_killed_before_the_acknowledgement(new_stores: NewStores, fill: Queue) -> None:
    stores = new_stores()
    steps = rehearsed(new_stores(), fill)
    assert steps[-1] == "UpdateItem"
    fleet = Fleet(stores, Faults({len(steps) - 1}, "after"))

    assert fleet.fold(fill.batch()) is None
    assert stores.flushed() == 1
    rows = stores.rows()
    assert len(rows) == 61
    taken = len(fleet.faults.steps)
    fill.drain(fleet.fold)

    assert stores.rows() == rows
    assert len(stores.blocks()) == 1
    reads = {"BatchGetItem", "GetItem", "Query"}
    assert set(fleet.faults.steps[taken:]) == reads, "nothing was left to write"
    assert_done(stores, fill)


def rehearsed(stores: AwsStores, queue: Queue) -> list[str]:
    """The calls of one invocation that gets the whole queue and does not fail."""
    faults = Faults()
    folded = Fleet(stores, faults).fold(queue.batch())
    assert folded is not None
    assert len(folded.done) == len(queue.messages)
    return faults.steps
