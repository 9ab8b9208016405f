"""Compaction: what it certifies, heals and merges, and where it stops."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Block
from blockfold.application import compact as compaction
from blockfold.application.certify import PATIENCE
from blockfold.domain.errors import Corrupted, NotFound
from blockfold.domain.segments import Segment, superseded
from tests.archive.shelves import Shelves, chain_of, grown, hashes, in_epoch
from tests.faults import Faults
from tests.properties.histories import MACHINE, NEVER, StepClock

LENGTH = 24
CHAIN = chain_of(LENGTH)


def shelves_with(*batches: list[Block], blocks: list[Block] = CHAIN) -> Shelves:
    shelves = Shelves()
    shelves.commit(blocks)
    shelves.ship(*batches)
    return shelves


def damage(shelves: Shelves, segment: Segment) -> None:
    data = bytearray(shelves.objects.get(segment.key) or b"")
    data[len(data) // 2] ^= 1
    shelves.objects.replace(segment.key, bytes(data))


# -- the watermark -----------------------------------------------------------------------------


def test_what_was_shipped_is_read_and_counts_as_archived() -> None:
    shelves = shelves_with(CHAIN[:9], CHAIN[9:17])
    done = shelves.compact()
    assert (done.archived, done.healed, done.trouble) == (17, 0, ())
    assert shelves.archived == 17
    shelves.prune()
    assert shelves.hashes() == hashes(CHAIN)


def test_a_machine_that_is_not_there_is_an_error_and_one_without_blocks_is_none() -> None:
    shelves = Shelves()
    with pytest.raises(NotFound, match="no machine 'm'"):
        shelves.compact()
    shelves.machines.register(MACHINE)
    assert shelves.compact(upto_head=True).archived == 0
    assert shelves.objects.stat("") is None


def test_up_to_the_head_everything_is_archived_at_once_and_none_of_it_is_called_healed() -> None:
    shelves = shelves_with(CHAIN[:9])
    done = shelves.compact(upto_head=True)
    assert (done.archived, done.healed, done.segments) == (LENGTH, 0, 1)
    assert shelves.compact(upto_head=True) == done
    shelves.prune()
    assert shelves.hashes() == hashes(CHAIN)


# -- healing -----------------------------------------------------------------------------------


def test_a_gap_below_a_shipped_segment_is_healed_from_the_table() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[8:17])
    done = shelves.compact()
    assert (done.archived, done.healed) == (17, 3)
    assert shelves.compact().healed == 0
    shelves.prune()
    assert shelves.hashes() == hashes(CHAIN)


def test_blocks_at_the_top_are_healed_when_they_are_overdue() -> None:
    shelves = shelves_with(CHAIN[:5])
    shelves.clock.milliseconds = CHAIN[5].header.time + PATIENCE
    shelves.objects._modified = dict.fromkeys(shelves.objects._modified, 0)
    assert (shelves.compact().archived, shelves.archived) == (5, 5)
    shelves.clock.milliseconds += 14  # one for each block
    done = shelves.compact()
    assert (done.archived, done.healed) == (19, 14)


def test_old_blocks_at_the_top_are_under_way_while_others_are_shipped() -> None:
    """After an outage, blocks are old when they are committed."""
    shelves = shelves_with()
    shelves.wait()
    shelves.ship(CHAIN[:5])
    assert (shelves.compact().archived, shelves.compact().healed) == (5, 0)
    shelves.wait()
    done = shelves.compact()
    assert (done.archived, done.healed) == (LENGTH, LENGTH - 5)


def test_a_stack_without_an_archive_so_far_gets_a_whole_one() -> None:
    shelves = shelves_with()
    shelves.wait()
    done = shelves.compact()
    assert (done.archived, done.healed, done.segments) == (LENGTH, LENGTH, 1)


def test_a_block_that_is_nowhere_stops_it_right_there() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[8:17])
    shelves.drop(7, 8)
    with pytest.raises(Corrupted, match="block 7 of machine 'm' is not in its archive") as caught:
        shelves.compact()
    assert "point-in-time recovery" in caught.value.hint
    assert shelves.archived == 6
    with pytest.raises(Corrupted, match="block 7"):
        shelves.compact()
    shelves.commit(CHAIN[6:8])
    assert shelves.compact().archived == 17


def test_what_went_missing_below_the_watermark_is_healed_or_named() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[5:9], CHAIN[9:17])
    with patch.object(compaction, "FULL_BYTES", 1):  # nothing is merged
        assert shelves.compact().segments == 3
        shelves.objects.delete([shelves.segments()[1].key])
        done = shelves.compact()
        assert (done.healed, done.trouble, done.archived) == (4, (), 17)
        shelves.objects.delete([shelves.segments()[1].key])
        shelves.prune()
        done = shelves.compact()
    assert (done.healed, done.trouble) == (0, ("blocks 6 to 9 are in no segment",))
    assert done.archived == 17


# -- damage ------------------------------------------------------------------------------------


def test_a_damaged_segment_is_written_anew_from_the_table() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[5:9], CHAIN[9:17])
    damage(shelves, shelves.segments()[1])
    done = shelves.compact()
    assert (done.archived, done.healed, done.trouble) == (17, 4, ())
    for segment in shelves.segments():
        assert len(list(shelves.archive().read(segment))) == segment.blocks
    assert shelves.compact().healed == 0


def test_a_damaged_segment_is_written_anew_from_others() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[5:9])
    shelves.compact()
    shelves.prune()
    (merged,) = [each for each in shelves.segments() if each.blocks == 9]
    damage(shelves, merged)
    shelves.ship(CHAIN[9:17])
    done = shelves.compact()
    assert (done.archived, done.healed, done.trouble) == (17, 9, ())
    assert len(list(shelves.archive().read(merged))) == 9


def test_damage_below_the_watermark_that_nothing_heals_is_named_and_keeps_nothing_back() -> None:
    shelves = shelves_with(CHAIN[:5])
    shelves.compact()
    shelves.prune()
    (segment,) = shelves.segments()
    damage(shelves, segment)
    shelves.ship(CHAIN[5:9])
    done = shelves.compact()
    assert (done.archived, done.healed) == (9, 0)
    assert len(done.trouble) == 1
    assert segment.key in done.trouble[0]
    with pytest.raises(Corrupted, match=segment.key):
        shelves.hashes()
    assert shelves.hashes(6) == hashes(CHAIN[5:])


def test_damage_above_the_watermark_that_the_table_cannot_heal_stops_it_there() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[5:9], CHAIN[9:17])
    damage(shelves, shelves.segments()[1])
    shelves.drop(7)
    with pytest.raises(Corrupted, match="block 7"):
        shelves.compact()
    assert shelves.archived == 6


# -- other histories ---------------------------------------------------------------------------


def test_segments_of_an_older_epoch_are_passed_over() -> None:
    """They were shipped after the rebuild that did not know of them."""
    shelves = shelves_with(CHAIN[:6], blocks=CHAIN[:6])
    assert shelves.compact().archived == 6
    newer = grown(in_epoch(CHAIN[5], 1), 8, message="anew")
    shelves.commit(newer)
    shelves.ship(CHAIN[6:12])
    assert shelves.compact().archived == 6  # what is in the table is young, the rest is foreign
    shelves.ship(newer[1:5])
    done = shelves.compact()
    assert (done.archived, done.healed) == (11, 1)
    shelves.prune()
    assert shelves.hashes() == hashes(CHAIN[:6] + newer)


def test_an_epoch_of_its_own_is_never_merged_with_another() -> None:
    newer = grown(in_epoch(CHAIN[5], 1), 8)
    shelves = shelves_with(CHAIN[:3], CHAIN[3:6], newer[:2], newer[2:], blocks=CHAIN[:6] + newer)
    assert shelves.compact().archived == 14
    assert shelves.path() == [(1, 6), (7, 14)]


def test_what_is_shipped_above_the_head_is_not_certified() -> None:
    shelves = shelves_with(CHAIN[:9], blocks=CHAIN[:6])
    assert shelves.compact().archived == 6
    shelves.commit(grown(CHAIN[5].head, 1, message="other"))
    with pytest.raises(Corrupted, match="have different blocks"):
        shelves.compact()
    assert shelves.archived == 6


def test_a_table_of_another_history_is_an_error() -> None:
    shelves = shelves_with(CHAIN[:9], blocks=CHAIN[:6])
    shelves.compact()
    shelves.commit(grown(grown(CHAIN[5].head, 1, message="other")[0].head, 3)[1:])
    shelves.wait()
    with pytest.raises(Corrupted):
        shelves.compact()
    assert shelves.archived == 6


def test_a_table_that_goes_on_from_another_block_than_the_archived_is_an_error() -> None:
    shelves = shelves_with(CHAIN[:6], blocks=CHAIN[:6])
    shelves.compact()
    other = grown(CHAIN[4].head, 6, message="other")
    shelves.drop(6)
    shelves.commit(other)
    shelves.wait()
    with pytest.raises(Corrupted, match=r"block 7 .* or has another one"):
        shelves.compact()
    shelves.ship(other[1:4])
    shelves.drop(9)  # the last of that segment: only its first parent tells
    with pytest.raises(Corrupted, match="have different blocks"):
        shelves.compact()
    assert shelves.archived == 6


def test_a_store_that_damages_what_is_mended_ends_the_compaction() -> None:
    shelves = shelves_with(CHAIN[:5], CHAIN[5:9], CHAIN[9:17])
    broken = shelves.segments()[1].key
    damage(shelves, shelves.segments()[1])
    replace_ = shelves.objects.replace

    def damaging(key: str, data: bytes) -> None:
        replace_(key, b"damaged" if key == broken else data)

    with (
        patch.object(shelves.objects, "replace", damaging),
        pytest.raises(Corrupted, match="was mended and is damaged again"),
    ):
        shelves.compact()
    assert shelves.archived == 5


# -- merging -----------------------------------------------------------------------------------


def test_small_segments_become_one() -> None:
    shelves = shelves_with(*([block] for block in CHAIN))
    done = shelves.compact()
    assert (done.segments, shelves.path()) == (1, [(1, LENGTH)])
    assert len(superseded(shelves.segments(), shelves.archived)) == LENGTH
    shelves.archive().delete(superseded(shelves.segments(), shelves.archived))
    shelves.prune()
    assert shelves.hashes() == hashes(CHAIN)


def test_a_full_segment_is_not_touched_again() -> None:
    blocks = chain_of(30, size=3_000)
    shelves = Shelves()
    with patch.object(compaction, "FULL_BYTES", 10_000):
        for at in range(0, 30, 2):
            shelves.commit(blocks[at : at + 2])
            shelves.ship(blocks[at : at + 2])
            shelves.compact()
        listing = shelves.segments()
    path = shelves.path()
    sizes = {(each.first, each.last): each.bytes for each in listing}
    assert all(sizes[each] >= 10_000 for each in path[:-1])
    faults = Faults()
    with patch.object(compaction, "FULL_BYTES", 10_000):
        shelves.commit(grown(blocks[-1].head, 1))
        shelves.compactor(faults).compact(MACHINE, deadline=NEVER, upto_head=True)
    assert faults.steps.count("objects.get") <= 4


def test_a_full_segment_that_was_shipped_stays_as_it_is() -> None:
    blocks = chain_of(30, size=3_000)
    shelves = Shelves()
    shelves.commit(blocks)
    shelves.ship([blocks[0]], [blocks[1]], blocks[2:12], [blocks[12]], blocks[13:24], blocks[24:])
    with patch.object(compaction, "FULL_BYTES", 20_000):
        assert shelves.compact().segments == 5
    assert shelves.path() == [(1, 2), (3, 12), (13, 13), (14, 24), (25, 30)]


def test_what_is_merged_is_written_again_a_bounded_number_of_times() -> None:
    blocks = chain_of(300, size=200)
    shelves = Shelves()
    for block in blocks:
        shelves.commit([block])
        shelves.ship([block])
        shelves.compact()
    written = sum(each.bytes for each in shelves.segments())
    alone = sum(each.bytes for each in shelves.segments() if each.blocks == 1)
    assert written <= 5 * alone
    assert len(shelves.path()) <= 9


def test_a_long_backlog_is_certified_megabyte_by_megabyte() -> None:
    blocks = chain_of(40, size=2_000)
    shelves = Shelves()
    shelves.commit(blocks)
    shelves.ship(*([block] for block in blocks))
    faults = Faults()
    with patch.object(compaction, "FULL_BYTES", 16_000):
        shelves.compactor(faults).compact(MACHINE, deadline=NEVER)
    assert faults.steps.count("machines.raise_watermark") > 3
    assert shelves.archived == 40
    assert len(shelves.path()) <= 6


def test_segments_that_are_full_unpacked_but_not_packed_do_not_cascade() -> None:
    """Blocks that compress well: merging finds such a segment as it was and goes no further."""
    blocks = chain_of(64)
    shelves = Shelves(part=sum(len(block.payload) + 1_200 for block in blocks[:8]))
    with patch.object(compaction, "FULL_BYTES", 12_000):
        for block in blocks:
            shelves.commit([block])
            shelves.ship([block])
            faults = Faults()
            shelves.compactor(faults).compact(MACHINE, deadline=NEVER)
            assert faults.steps.count("objects.get") <= 11
    assert shelves.archived == 64
    assert len(shelves.path()) <= 8
    shelves.prune()
    assert shelves.hashes() == hashes(blocks)


# -- time --------------------------------------------------------------------------------------


def test_what_does_not_fit_the_time_is_left_to_the_next() -> None:
    shelves = shelves_with(*([block] for block in CHAIN[:16]))
    compactor = replace(shelves.compactor(), clock=StepClock())
    archived = [compactor.compact(MACHINE, deadline=-1).archived]
    assert archived == [0]
    while archived[-1] < LENGTH:
        compactor = replace(shelves.compactor(), clock=StepClock())
        archived.append(compactor.compact(MACHINE, deadline=6, upto_head=True).archived)
        assert archived[-1] > archived[-2]
    assert len(archived) > 3
    shelves.prune()
    assert shelves.hashes() == hashes(CHAIN)


# -- all machines ------------------------------------------------------------------------------


def test_a_sweep_takes_every_machine_and_one_in_trouble_keeps_no_other_back() -> None:
    shelves = Shelves()
    for name in ("a", "b", "c"):
        chain = chain_of(4, machine=name)
        shelves.commit(chain)
        shelves.ship(chain)
    shelves.machines.register("empty")
    damage(shelves, shelves.segments("b")[0])
    shelves.drop(1, machine="b")
    sweep = shelves.compactor().sweep(deadline=NEVER)
    assert {each.machine: each.archived for each in sweep.done} == {"a": 4, "c": 4}
    assert [str(error)[:20] for error in sweep.failed] == ["block 1 of machine '"]
    again = shelves.compactor().sweep(deadline=NEVER)
    assert (again.done, len(again.failed)) == ([], 1)
    assert shelves.compactor().sweep(deadline=-1).done == []


# -- anything ----------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_was_shipped_compaction_makes_it_whole(data: st.DataObject) -> None:
    """Ships, compacts, prunes and collects in any order: the chain reads whole at any time."""
    shelves = Shelves(part=data.draw(st.sampled_from([2_500, 10**6])))
    committed = 0
    full = data.draw(st.sampled_from([1_000, 4_000, 10**6]))
    with patch.object(compaction, "FULL_BYTES", full):
        for _ in range(data.draw(st.integers(1, 12))):
            what = data.draw(
                st.sampled_from(["commit", "ship", "ship", "compact", "head", "prune", "collect"])
            )
            if what == "commit" and committed < LENGTH:
                upto = data.draw(st.integers(committed + 1, LENGTH))
                shelves.commit(CHAIN[committed:upto])
                committed = upto
            if not committed:
                continue
            if what == "ship":
                first = data.draw(st.integers(0, committed - 1))
                shelves.ship(CHAIN[first : data.draw(st.integers(first + 1, committed))])
            elif what in {"compact", "head"}:
                done = shelves.compact(upto_head=what == "head")
                assert done.trouble == ()
                assert done.archived == (committed if what == "head" else shelves.archived)
            elif what == "prune":
                shelves.prune()
            elif what == "collect":
                shelves.archive().delete(superseded(shelves.segments(), shelves.archived))
            assert shelves.hashes() == hashes(CHAIN[:committed])
            covered = {n for first, last in shelves.path() for n in range(first, last + 1)}
            assert covered >= set(range(1, shelves.archived + 1))
