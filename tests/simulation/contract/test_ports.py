"""The contracts of the ports over the product's adapters on simulated services.

Where a suite looks below the port, at items or objects, it does so here, too.
"""

from __future__ import annotations

import json
import time

import pytest

from blockfold.adapters.checks import from_body
from blockfold.bootstrap import Adapters
from blockfold.ports import Announcement, Check, Checks, EventBus
from tests.contracts import (
    test_archive,
    test_archived_log,
    test_block_damage,
    test_block_log,
    test_bus,
    test_checks,
    test_eraser,
    test_machines,
    test_objects,
    test_snapshots,
    test_state_table,
    test_vendor_errors,
)
from tests.simulation.contract.backends import Clock
from tests.simulation.services import Cloud
from tests.simulation.services.cloud import ALL


@pytest.fixture
def clock() -> Clock:
    """The suites hold what the services say of time against the system's clock."""
    return Clock(time.time_ns() // 1_000_000)


@pytest.fixture
def ministack(simulated: Adapters) -> Adapters:
    """What the suites call ministack is the simulator."""
    return simulated


one_page = pytest.mark.parametrize("cloud", [ALL], indirect=True)
"""For suites that list without asking for more pages."""


class TestArchive(test_archive.TestMinistack): ...


class TestArchivedLog(test_archived_log.TestMinistack): ...


@one_page
class TestWhereBodiesStand(test_block_damage.TestWhereBodiesStand): ...


class TestDamagedObjects(test_block_damage.TestDamagedObjects): ...


class TestTamperedItems(test_block_damage.TestTamperedItems): ...


class TestBlockLog(test_block_log.TestMinistack): ...


class TestEraser(test_eraser.TestMinistack): ...


class TestMachines(test_machines.TestMinistack): ...


class TestObjects(test_objects.TestMinistack): ...


class TestSnapshots(test_snapshots.TestMinistack): ...


class TestStateTable(test_state_table.TestMinistack): ...


class TestMissing(test_vendor_errors.TestMissing): ...


class TestBus(test_bus.EventBusContract):
    @pytest.fixture
    def bus(self, simulated: Adapters) -> EventBus:
        return simulated.bus

    @pytest.fixture
    def heard(self, cloud: Cloud) -> test_bus.Heard:
        def heard(number: int) -> list[Announcement]:
            assert len(cloud.bus.events) >= number
            return [
                Announcement(
                    each["source"],
                    each["detail-type"],
                    json.dumps(
                        each["detail"], ensure_ascii=False, separators=(",", ":"), sort_keys=True
                    ).encode(),
                    0,
                )
                for each in cloud.bus.events
            ]

        return heard


class TestChecks(test_checks.ChecksContract):
    @pytest.fixture
    def checks(self, simulated: Adapters) -> Checks:
        return simulated.checks

    @pytest.fixture
    def heard(self, cloud: Cloud, clock: Clock) -> test_checks.Heard:
        def heard(number: int) -> list[Check]:
            clock.sleep(900)
            found = []
            while batch := cloud.checks_queue.receive(10):
                found += [from_body(each["body"]) for each in batch.event["Records"]]
                batch.settle({"batchItemFailures": []})
            assert len(found) >= number
            return found

        return heard
