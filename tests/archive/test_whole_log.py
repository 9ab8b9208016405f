"""The log that readers see: table and archive as one, whatever is still where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Block
from blockfold.adapters import archived_log
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.application.points import newest_at
from blockfold.domain.errors import Corrupted
from blockfold.ports import BlockLog
from tests.archive.shelves import Shelves, chain_of, grown, hashes, in_epoch
from tests.faults import Faults
from tests.properties.histories import MACHINE

LENGTH = 24
CHAIN = chain_of(LENGTH)


def batches() -> st.SearchStrategy[list[list[int]]]:
    """Batches of the stream: overlapping, repeated, reordered, with blocks missing in them."""
    spans = st.tuples(st.integers(1, LENGTH), st.integers(0, 9)).map(
        lambda span: list(range(span[0], min(LENGTH, span[0] + span[1]) + 1))
    )
    holed = st.lists(st.integers(1, LENGTH), min_size=1, max_size=9)
    return st.lists(spans | holed, max_size=12)


@given(batches(), st.data())
@settings(max_examples=200)
def test_the_chain_reads_whole_if_only_archived_blocks_left_the_table(
    shipped: list[list[int]], data: st.DataObject
) -> None:
    shelves = Shelves(part=data.draw(st.sampled_from([1, 3_000, 10**6])))
    shelves.commit(CHAIN)
    for batch in shipped:
        shelves.ship([CHAIN[number - 1] for number in batch])
    archived = {number for batch in shipped for number in batch} - {LENGTH}
    dropped = data.draw(st.sets(st.sampled_from(sorted(archived)))) if archived else set()
    shelves.drop(*dropped)
    whole = shelves.whole()
    assert hashes(whole.read(MACHINE, 1)) == hashes(CHAIN)
    for block in CHAIN:
        found = whole.get(MACHINE, block.number)
        assert found is not None
        assert (found.hash, found.payload, found.total) == (block.hash, block.payload, block.total)
    first = data.draw(st.integers(-1, LENGTH + 2))
    last = data.draw(st.integers(-1, LENGTH + 2))
    wanted = hashes(CHAIN[max(first, 1) - 1 : max(last, 0)])
    assert hashes(whole.read(MACHINE, first, last)) == wanted
    assert whole.get(MACHINE, LENGTH + 1) is whole.get(MACHINE, 0) is None


def shelves_with(dropped: Sequence[int], *batches: Sequence[Block]) -> Shelves:
    shelves = Shelves()
    shelves.commit(CHAIN)
    shelves.ship(*batches)
    shelves.drop(*dropped)
    return shelves


def test_numbers_that_are_nowhere_are_left_out() -> None:
    shelves = shelves_with(range(1, 11), CHAIN[2:5], CHAIN[7:9])
    assert [b.number for b in shelves.whole().read(MACHINE, 1, 12)] == [3, 4, 5, 8, 9, 11, 12]
    assert [b.number for b in shelves.whole().read(MACHINE, 1)][:6] == [3, 4, 5, 8, 9, 11]
    assert shelves.whole().get(MACHINE, 6) is None


def test_reading_is_lazy() -> None:
    shelves = shelves_with(range(1, 21), CHAIN[:5], CHAIN[5:10], CHAIN[10:])
    faults = Faults()
    reading = shelves.whole(faults).read(MACHINE, 1)
    for _ in range(5):
        next(reading)
    assert faults.steps.count("objects.get") == 1
    next(reading)
    assert faults.steps.count("objects.get") == 2


# -- what is cached ----------------------------------------------------------------------------


def test_walking_backwards_in_windows_fetches_each_segment_once() -> None:
    shelves = shelves_with(range(1, 24), *(CHAIN[at : at + 6] for at in range(0, LENGTH, 6)))
    faults = Faults()
    whole = shelves.whole(faults)
    found: list[str] = []
    for last in range(LENGTH, 0, -4):
        found = hashes(whole.read(MACHINE, last - 3, last)) + found
    assert found == hashes(CHAIN)
    assert faults.steps.count("objects.get") == 4
    assert faults.steps.count("objects.list") == 1


def test_a_search_by_time_fetches_what_it_looks_into() -> None:
    shelves = shelves_with(range(1, 24), *(CHAIN[at : at + 6] for at in range(0, LENGTH, 6)))
    faults = Faults()
    whole = shelves.whole(faults)
    for block in CHAIN:
        assert newest_at(whole, MACHINE, block.header.time, LENGTH) == block.number
    assert faults.steps.count("objects.get") == 4
    assert faults.steps.count("objects.list") == 1


def test_what_is_kept_is_bounded() -> None:
    blocks = chain_of(12, size=10_000)
    shelves = Shelves()
    shelves.commit(blocks)
    shelves.ship(*([block] for block in blocks))
    shelves.drop(*range(1, 12))
    with patch.object(archived_log, "CACHE_BYTES", 35_000):
        faults = Faults()
        whole = shelves.whole(faults)
        for _ in range(2):
            assert hashes(whole.read(MACHINE, 1, 3)) == hashes(blocks[:3])
        assert faults.steps.count("objects.get") == 3
        list(whole.read(MACHINE, 4, 6))
        assert len(whole._segments._unpacked) == 3
        list(whole.read(MACHINE, 1, 3))
        assert faults.steps.count("objects.get") == 9
    with patch.object(archived_log, "CACHE_BYTES", 5_000):
        whole = shelves.whole()
        assert hashes(whole.read(MACHINE, 1)) == hashes(blocks)
        assert not whole._segments._unpacked


def test_decoded_bodies_do_not_gather_in_what_is_kept() -> None:
    shelves = shelves_with(range(1, 24), CHAIN)
    whole = shelves.whole()
    assert all(block.body.changes for block in whole.read(MACHINE, 1))
    ((_, kept),) = whole._segments._unpacked.values()
    assert len(kept) == LENGTH
    assert not any("body" in vars(block) for block in kept)


def test_listings_of_many_machines_are_not_kept() -> None:
    shelves = Shelves()
    for number in range(archived_log.LISTINGS + 5):
        blocks = chain_of(2, machine=f"m{number}")
        shelves.commit(blocks)
        shelves.ship(blocks)
        shelves.drop(1, machine=f"m{number}")
    whole = shelves.whole()
    for number in range(archived_log.LISTINGS + 5):
        assert whole.get(f"m{number}", 1) is not None
    assert len(whole._segments._listings) == archived_log.LISTINGS


def test_a_kept_listing_hides_no_newer_segment() -> None:
    shelves = shelves_with([1], CHAIN[:3])
    whole = shelves.whole()
    assert whole.get(MACHINE, 1) is not None
    shelves.ship(CHAIN[5:9])
    shelves.drop(6, 7, 8)
    assert whole.get(MACHINE, 7) is not None
    assert hashes(whole.read(MACHINE, 1)) == hashes(CHAIN)
    shelves.ship(CHAIN[9:12])
    shelves.drop(10, 12)
    assert hashes(whole.read(MACHINE, 1)) == hashes(CHAIN)


def test_a_segment_that_was_replaced_by_a_larger_one_is_not_missed() -> None:
    shelves = shelves_with([1, 2, 3, 4], CHAIN[:2], CHAIN[2:4])
    whole = shelves.whole()
    reading = whole.read(MACHINE, 1)
    assert next(reading).number == 1
    old = shelves.segments()
    shelves.ship(CHAIN[:4])
    shelves.archive().delete(old)
    assert [block.number for block in reading] == list(range(2, LENGTH + 1))
    assert hashes(shelves.whole().read(MACHINE, 1)) == hashes(CHAIN)


def test_segments_may_be_replaced_more_than_once_while_they_are_read() -> None:
    shelves = shelves_with(range(1, 13), CHAIN[:3], CHAIN[3:6], CHAIN[6:9], CHAIN[9:12])
    reading = shelves.whole().read(MACHINE, 1)
    found = [next(reading)]
    for first, last in ((4, 6), (7, 9), (10, 12)):
        (old,) = [each for each in shelves.segments() if each.first == first]
        shelves.archive().delete([old])
        shelves.ship(CHAIN[first - 1 : last - 1], CHAIN[last - 2 : last])
        found += [next(reading) for _ in range(3)]
    assert hashes([*found, *reading]) == hashes(CHAIN)


def test_what_is_committed_while_it_is_read_is_not_taken_from_elsewhere() -> None:
    """Blocks 6 to 9 of another history were archived; then 6 and 7 are committed."""
    shelves = Shelves()
    shelves.ship(CHAIN[:9])
    chain = CHAIN[:5] + grown(CHAIN[4].head, 2, message="other")
    shelves.commit(chain[:5])

    class Meanwhile:
        def __getattr__(self, name: str) -> object:
            return getattr(shelves.log, name)

        def head(self, machine: str) -> Block | None:
            shelves.commit(chain)
            return shelves.log.head(machine)

    whole = ArchivedBlockLog(cast("BlockLog", Meanwhile()), shelves.archive())
    assert hashes(whole.read(MACHINE, 1, 9)) == hashes(chain)


def test_an_old_listing_is_not_used_any_more() -> None:
    """It may lack the note that an epoch has begun."""
    now = 0.0
    shelves = shelves_with([], CHAIN[:9])
    faults = Faults()
    whole = ArchivedBlockLog(shelves.log, shelves.archive(faults), monotonic=lambda: now)
    shelves.drop(1, 2)
    for seconds, listed in ((0, 1), (archived_log.LISTING_SECONDS, 1), (1, 2), (1, 2)):
        now += seconds
        whole.get(MACHINE, 1)
        assert faults.steps.count("objects.list") == listed


# -- damage ------------------------------------------------------------------------------------


def test_a_damaged_segment_is_bridged_by_others_that_have_the_blocks() -> None:
    shelves = shelves_with(range(1, 12), CHAIN[:4], CHAIN[4:8], CHAIN[:8], CHAIN[8:12])
    (large,) = [each for each in shelves.segments() if each.blocks == 8]
    shelves.objects.replace(large.key, b"damaged")
    assert hashes(shelves.whole().read(MACHINE, 1)) == hashes(CHAIN)
    assert [b and b.hash for b in map(shelves.whole().get, [MACHINE] * 8, range(1, 9))] == hashes(
        CHAIN[:8]
    )


@pytest.mark.parametrize("how", ["damaged", "lost"])
def test_a_block_in_a_damaged_segment_alone_is_an_error_that_names_it(how: str) -> None:
    shelves = shelves_with(range(1, 12), CHAIN[:4], CHAIN[4:8], CHAIN[8:12])
    key = shelves.segments()[1].key
    whole = shelves.whole()
    assert whole.get(MACHINE, 1) is not None
    shelves.objects.replace(key, shelves.objects.get(key)[:-9] + b"x" * 9)  # type: ignore[index]
    with pytest.raises(Corrupted, match=r"does not unpack|no block|changed") as caught:
        list(whole.read(MACHINE, 1))
    assert key in str(caught.value)
    with pytest.raises(Corrupted):
        whole.get(MACHINE, 5)
    found = whole.get(MACHINE, 9)
    assert found is not None
    if how == "lost":
        shelves.objects.delete([key])
        assert whole.get(MACHINE, 5) is None
        assert [block.number for block in whole.read(MACHINE, 3, 10)] == [3, 4, 9, 10]


# -- epochs ------------------------------------------------------------------------------------


def rebuilt() -> tuple[Shelves, list[Block]]:
    """Blocks 7 to 10 were archived of another life; a rebuild went on from 6."""
    shelves = Shelves()
    shelves.ship(CHAIN[:6], CHAIN[6:10])
    newer = grown(in_epoch(CHAIN[5], 1), 6, message="anew")
    chain = CHAIN[:6] + newer
    shelves.archive().begin(MACHINE, 1, CHAIN[5])
    shelves.commit(chain)
    return shelves, chain


def test_what_another_epoch_left_above_the_rebuilt_head_is_not_read() -> None:
    shelves, chain = rebuilt()
    shelves.drop(*range(1, 7))
    assert hashes(shelves.whole().read(MACHINE, 1)) == hashes(chain)
    shelves.drop(8, 9)  # were lost: the old epoch's must not stand in for them
    assert [b.number for b in shelves.whole().read(MACHINE, 5)] == [5, 6, 7, 10, 11, 12]
    assert shelves.whole().get(MACHINE, 8) is None
    shelves.ship(chain[7:10])
    assert hashes(shelves.whole().read(MACHINE, 1)) == hashes(chain)


def test_a_damaged_segment_is_not_bridged_by_an_older_epoch() -> None:
    shelves, chain = rebuilt()
    shelves.ship(chain[6:])
    shelves.drop(7, 8, 9)
    newest = max(shelves.segments(), key=lambda each: (each.epoch, each.last))
    shelves.objects.replace(newest.key, b"")
    with pytest.raises(Corrupted):
        shelves.whole().get(MACHINE, 8)


def test_nothing_above_the_head_of_the_table_is_read() -> None:
    shelves = Shelves()
    shelves.ship(CHAIN[:9])
    assert list(shelves.whole().read(MACHINE, 1)) == list(shelves.whole().read(MACHINE, 1, 9)) == []
    assert shelves.whole().get(MACHINE, 1) is shelves.whole().head(MACHINE) is None
    shelves.commit(CHAIN[:5])
    shelves.drop(1, 2)
    assert hashes(shelves.whole().read(MACHINE, 1, 9)) == hashes(CHAIN[:5])
    assert shelves.whole().get(MACHINE, 6) is None


def test_an_archive_that_contradicts_the_table_is_an_error() -> None:
    other = grown(CHAIN[2].head, 6, message="other")
    shelves = Shelves()
    shelves.ship(CHAIN[:9])
    shelves.commit(CHAIN[:3] + other)
    shelves.drop(4, 5)
    with pytest.raises(Corrupted, match="contradict each other"):
        list(shelves.whole().read(MACHINE, 1))
