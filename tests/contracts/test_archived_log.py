"""The contract of `BlockLog` on a table and an archive together, whichever has the blocks."""

from __future__ import annotations

import pytest

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog, MemoryObjectStore
from blockfold.bootstrap import Adapters
from blockfold.domain.block import Block
from blockfold.ports import BlockLog
from tests.contracts.block_log_contract import BlockLogContract


class Forgetful(ArchivedBlockLog):
    """Archives every block at once; only the newest of a machine stays in the table."""

    def __init__(self) -> None:
        self.live = MemoryBlockLog()
        self.archive = ObjectArchive(MemoryObjectStore())
        super().__init__(self.live, self.archive)

    def append(self, block: Block) -> None:
        super().append(block)
        self.archive.write([block])
        newest = self.live.head(block.machine)
        assert newest is not None
        self.live.expire(block.machine, 1, newest.number - 1, 0)
        self.live.pass_time(0)


class TestAllInTheTable(BlockLogContract):
    @pytest.fixture
    def log(self) -> BlockLog:
        return ArchivedBlockLog(MemoryBlockLog(), ObjectArchive(MemoryObjectStore()))


class TestAlmostAllInTheArchive(BlockLogContract):
    @pytest.fixture
    def log(self) -> BlockLog:
        return Forgetful()


class TestMinistack(BlockLogContract):
    @pytest.fixture
    def log(self, ministack: Adapters) -> BlockLog:
        return ministack.archived_log
