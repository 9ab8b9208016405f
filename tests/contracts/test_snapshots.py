"""The contract of `SnapshotStore` over memory, the emulator and moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.bootstrap import Adapters
from blockfold.ports import ObjectStore, SnapshotStore
from tests.contracts.samples import new_machine
from tests.contracts.snapshot_store_contract import SnapshotStoreContract, states

PART = 150_000


class Races:
    """For stores that many threads may use at once: moto is none."""

    def test_many_who_save_the_same_agree(
        self, snapshots: SnapshotStore, objects: ObjectStore
    ) -> None:
        ((block, entries),) = states(new_machine(), 1, 1_000)
        stores = [ObjectSnapshots(objects, part=part) for part in (1, 100, PART)] * 2
        with ThreadPoolExecutor(6) as threads:
            made = list(threads.map(lambda each: each.save(block, entries.items()), stores))
        assert made == [snapshots.get(block.machine, 1)] * 6
        assert dict(snapshots.entries(made[0])) == entries


class TestMemory(SnapshotStoreContract, Races):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return MemoryObjectStore()

    @pytest.fixture
    def snapshots(self, objects: ObjectStore) -> SnapshotStore:
        return ObjectSnapshots(objects, part=PART)


class TestMinistack(SnapshotStoreContract, Races):
    @pytest.fixture
    def objects(self, ministack: Adapters) -> ObjectStore:
        return ministack.objects

    @pytest.fixture
    def snapshots(self, objects: ObjectStore) -> SnapshotStore:
        return ObjectSnapshots(objects, part=PART)


class TestMoto(SnapshotStoreContract):
    @pytest.fixture
    def objects(self, moto: Adapters) -> ObjectStore:
        return moto.objects

    @pytest.fixture
    def snapshots(self, objects: ObjectStore) -> SnapshotStore:
        return ObjectSnapshots(objects, part=PART)
