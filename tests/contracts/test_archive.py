"""The contract of `Archive` on objects in memory, in a folder, in the emulator and in moto."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.bootstrap import Adapters
from blockfold.ports import Archive
from tests.contracts.archive_contract import ArchiveContract


class TestMemory(ArchiveContract):
    @pytest.fixture
    def archive(self) -> Archive:
        return ObjectArchive(MemoryObjectStore())


class TestFolder(ArchiveContract):
    @pytest.fixture
    def archive(self, tmp_path: Path) -> Archive:
        return ObjectArchive(FolderObjectStore(tmp_path / "objects"))


class TestMinistack(ArchiveContract):
    @pytest.fixture
    def archive(self, ministack: Adapters) -> Archive:
        return ministack.archive


class TestMoto(ArchiveContract):
    @pytest.fixture
    def archive(self, moto: Adapters) -> Archive:
        return moto.archive
