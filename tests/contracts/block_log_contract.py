"""What every `BlockLog` must do."""

from __future__ import annotations

import time

import pytest

from blockfold.adapters.dynamodb import packing
from blockfold.domain.block import Block, Head
from blockfold.domain.errors import BlockConflict, LimitExceeded
from blockfold.domain.replay import chained
from blockfold.ports import BlockLog
from tests.contracts.samples import block_after, chain, new_machine


def same(found: Block | None, wanted: Block) -> bool:
    """Whether a block came back to the byte."""
    return found is not None and (found.header, found.payload, found.total, found.hash) == (
        wanted.header,
        wanted.payload,
        wanted.total,
        wanted.hash,
    )


class BlockLogContract:
    """Subclasses give the fixture ``log``."""

    def test_a_block_comes_back_as_it_was_appended(self, log: BlockLog) -> None:
        machine = new_machine()
        block = block_after(Head(machine=machine), "Grüße \x00 😀")
        log.append(block)
        found = log.get(machine, 1)
        assert same(found, block)
        assert found is not None
        assert found.body == block.body
        assert found.head == block.head
        assert same(log.head(machine), block)

    def test_appending_the_same_block_again_is_no_error(self, log: BlockLog) -> None:
        machine = new_machine()
        first, second = chain(machine, 2)
        for block in (first, second, first, second):
            log.append(block)
        assert [block.hash for block in log.read(machine, 1)] == [first.hash, second.hash]

    @pytest.mark.parametrize("size", [0, 40_000])
    def test_a_conflict_hands_back_the_winner_and_changes_nothing(
        self, log: BlockLog, size: int
    ) -> None:
        machine = new_machine()
        (winner,) = chain(machine, 1, size)
        loser = block_after(Head(machine=machine), "other", message="m2")
        log.append(winner)
        for _ in range(2):
            with pytest.raises(BlockConflict, match="block 1 of machine") as caught:
                log.append(loser)
            assert same(caught.value.winner, winner)
        assert same(log.get(machine, 1), winner)
        assert same(log.head(machine), winner)

    def test_a_machine_without_blocks_has_none(self, log: BlockLog) -> None:
        machine = new_machine()
        assert log.head(machine) is None
        assert log.get(machine, 1) is None
        assert list(log.read(machine, 1)) == []

    def test_the_head_is_the_highest_number_not_the_last_in_text_order(self, log: BlockLog) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 11))
        for block in blocks:
            log.append(block)
        assert same(log.head(machine), blocks[-1])
        assert log.get(machine, 12) is None
        assert same(log.get(machine, 9), blocks[8])

    def test_machines_do_not_mix(self, log: BlockLog) -> None:
        one, two = new_machine(), new_machine()
        blocks = {name: list(chain(name, 3)) for name in (one, two)}
        for block in (*blocks[one], *blocks[two][:2]):
            log.append(block)
        assert [block.hash for block in log.read(one, 1)] == [b.hash for b in blocks[one]]
        assert [block.machine for block in log.read(two, 1)] == [two, two]

    @pytest.mark.parametrize(
        ("first", "last", "numbers"),
        [
            (1, None, range(1, 13)),
            (1, 12, range(1, 13)),
            (5, 9, range(5, 10)),
            (9, 11, range(9, 12)),
            (12, None, range(12, 13)),
            (7, 7, range(7, 8)),
            (0, 2, range(1, 3)),
            (10, 99, range(10, 13)),
            (13, None, ()),
            (13, 20, ()),
            (5, 4, ()),
        ],
    )
    def test_ranges_are_inclusive_and_in_order(
        self, log: BlockLog, first: int, last: int | None, numbers: range
    ) -> None:
        machine = new_machine()
        for block in chain(machine, 12):
            log.append(block)
        assert [block.number for block in log.read(machine, first, last)] == list(numbers)

    def test_a_gap_is_left_out_without_an_error(self, log: BlockLog) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 4))
        for block in (blocks[0], blocks[1], blocks[3]):
            log.append(block)
        assert [block.number for block in log.read(machine, 1)] == [1, 2, 4]
        assert same(log.head(machine), blocks[3])

    def test_blocks_that_may_expire_stay_until_their_time(self, log: BlockLog) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 4))
        for block in (*blocks[:2], blocks[3]):
            log.append(block)
        later = time.time_ns() // 1_000_000 + 86_400_000
        for _ in range(2):
            log.expire(machine, 1, 3, later)
        assert [block.number for block in log.read(machine, 1)] == [1, 2, 4]
        assert same(log.get(machine, 1), blocks[0])
        assert log.get(machine, 3) is None
        log.append(blocks[0])
        log.expire(machine, 5, 4, later)

    def test_more_than_a_megabyte_of_blocks_reads_in_order(self, log: BlockLog) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 160, 9_500))
        for block in blocks:
            log.append(block)
        assert sum(len(block.payload) for block in blocks) > 1_500_000
        found = list(chained(Head(machine=machine), log.read(machine, 1)))
        assert [block.hash for block in found] == [block.hash for block in blocks]

    def test_a_body_of_megabytes_comes_back(self, log: BlockLog) -> None:
        machine = new_machine()
        (block,) = chain(machine, 1, 3_000_000)
        log.append(block)
        log.append(block)
        assert same(log.get(machine, 1), block)
        assert same(log.head(machine), block)
        assert [each.hash for each in log.read(machine, 1)] == [block.hash]

    @pytest.mark.parametrize("over", [-1, 0, 1, 1_000])
    @pytest.mark.parametrize("limit", [5_000, 50_000])
    def test_what_append_takes_get_gives_and_what_it_refuses_leaves_nothing(
        self, log: BlockLog, monkeypatch: pytest.MonkeyPatch, limit: int, over: int
    ) -> None:
        machine = new_machine()
        (empty,) = chain(machine, 1)
        (block,) = chain(machine, 1, limit + over - len(empty.payload))
        assert len(block.payload) == limit + over
        monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", limit)
        try:
            log.append(block)
        except LimitExceeded:
            assert log.head(machine) is None
            log.append(empty)
            block = empty
        assert same(log.get(machine, 1), block)
        assert same(log.head(machine), block)
        assert [each.hash for each in log.read(machine, 1)] == [block.hash]
