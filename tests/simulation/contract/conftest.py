"""The backends of the contract suite, and a simulated stack by itself."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from blockfold.bootstrap import Adapters
from tests.emulator import BareEmulator
from tests.simulation.contract import backends
from tests.simulation.contract.backends import (
    DYNAMODB_LOCAL,
    LOCAL_ENDPOINT,
    MINISTACK,
    SIMULATOR,
    Backend,
    Clock,
)
from tests.simulation.contract.differences import KNOWN_DIFFERENCES
from tests.simulation.services import STACK, Cloud, SimClients


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect each known difference to show."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or "backend" not in callspec.params:
            continue
        backend = callspec.params["backend"]
        reason = KNOWN_DIFFERENCES.get((backend, name_of(item, backend)))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def name_of(item: pytest.Item, backend: str) -> str:
    """A test's name, with its case but without its backend."""
    return item.name.replace(f"[{backend}]", "").replace(f"[{backend}-", "[")


@pytest.fixture(scope="session")
def in_ministack(emulator: BareEmulator) -> Backend:
    return backends.ministack(emulator)


@pytest.fixture(scope="session")
def in_dynamodb_local() -> Backend:
    return backends.dynamodb_local()


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The services, by each implementation in turn."""
    if request.param == SIMULATOR:
        yield backends.simulator(request.node.name)
    elif request.param == MINISTACK:
        yield request.getfixturevalue("in_ministack")
    else:
        yield request.getfixturevalue("in_dynamodb_local")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of the contract on the backends that have its service.

    DynamoDB Local is one of them where ``BLOCKFOLD_DYNAMODB_LOCAL`` names its endpoint.
    """
    if "backend" in metafunc.fixturenames:
        has_it = LOCAL_ENDPOINT and "dynamodb" in metafunc.module.__name__
        local = [DYNAMODB_LOCAL] if has_it else []
        metafunc.parametrize("backend", [SIMULATOR, MINISTACK, *local], indirect=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(request: pytest.FixtureRequest, clock: Clock) -> Cloud:
    """A simulated stack with pages of three, unless a test says how many."""
    page = getattr(request, "param", 3)
    return Cloud(STACK, clock=clock, random=Random(request.node.name), page=page)


@pytest.fixture
def simulated(cloud: Cloud) -> Adapters:
    """The product's wiring on the simulated stack."""
    return Adapters(cloud.settings, SimClients(cloud).as_clients())
