"""The contract of `ObjectStore` in memory, in a folder, in the emulator and in moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.bootstrap import Adapters
from blockfold.ports import ObjectStore
from tests.contracts.object_store_contract import ObjectStoreContract
from tests.contracts.samples import new_machine


class Races:
    """For stores that many threads may use at once: moto is none."""

    def test_one_of_many_stores_its_object(self, objects: ObjectStore) -> None:
        for _ in range(10):
            key = f"races/{new_machine()}"
            bodies = [f"body {number}".encode() for number in range(8)]
            with ThreadPoolExecutor(8) as threads:
                stored = list(threads.map(lambda body, key=key: objects.put_new(key, body), bodies))
            assert stored.count(True) == 1
            assert objects.get(key) == bodies[stored.index(True)]


class TestMemory(ObjectStoreContract, Races):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return MemoryObjectStore()


class TestFolder(ObjectStoreContract, Races):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> ObjectStore:
        return FolderObjectStore(tmp_path / "objects")


class TestMinistack(ObjectStoreContract, Races):
    @pytest.fixture
    def objects(self, ministack: Adapters) -> ObjectStore:
        return ministack.objects


class TestMoto(ObjectStoreContract):
    @pytest.fixture
    def objects(self, moto: Adapters) -> ObjectStore:
        return moto.objects
