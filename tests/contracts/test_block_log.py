"""The contract of `BlockLog` in memory, in the emulator and in moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from blockfold.adapters.memory import MemoryBlockLog
from blockfold.bootstrap import Adapters
from blockfold.domain.block import Block, Head
from blockfold.domain.errors import BlockConflict
from blockfold.ports import BlockLog
from tests.contracts.block_log_contract import BlockLogContract, same
from tests.contracts.samples import block_after, chain, new_machine, noise

THREADS = 8
ROUNDS = 12


class Races:
    """For stores that many threads may use at once: moto is none."""

    @pytest.mark.parametrize("size", [0, 12_000])
    def test_one_of_many_wins_and_the_others_get_the_winner(self, log: BlockLog, size: int) -> None:
        machine = new_machine()
        head = Head(machine=machine)
        with ThreadPoolExecutor(THREADS) as threads:
            for _ in range(ROUNDS):
                candidates = [
                    block_after(head, noise(size, each), message=f"m{each}")
                    for each in range(THREADS)
                ]
                start = Barrier(THREADS)

                def contend(block: Block, start: Barrier = start) -> Block:
                    start.wait()
                    try:
                        log.append(block)
                    except BlockConflict as conflict:
                        return conflict.winner
                    return block

                outcomes = list(threads.map(contend, candidates))
                winner = log.head(machine)
                assert winner is not None
                assert winner.number == head.number + 1
                assert all(same(outcome, winner) for outcome in outcomes)
                assert winner.hash in {block.hash for block in candidates}
                head = winner.head


class TestMemory(BlockLogContract, Races):
    @pytest.fixture
    def log(self) -> BlockLog:
        return MemoryBlockLog()


class TestMinistack(BlockLogContract, Races):
    @pytest.fixture
    def log(self, ministack: Adapters) -> BlockLog:
        return ministack.log

    def test_reading_many_blocks_takes_several_pages(self, ministack: Adapters) -> None:
        """Else the test of a megabyte of blocks shows nothing about pages."""
        machine = new_machine()
        for block in chain(machine, 160, 9_500):
            ministack.log.append(block)
        pages = ministack.clients.dynamodb.get_paginator("query").paginate(
            TableName=ministack.settings.blocks_table,
            KeyConditionExpression="machine = :machine",
            ExpressionAttributeValues={":machine": {"S": machine}},
        )
        assert sum(1 for _ in pages) > 1


class TestMoto(BlockLogContract):
    @pytest.fixture
    def log(self, moto: Adapters) -> BlockLog:
        return moto.log
