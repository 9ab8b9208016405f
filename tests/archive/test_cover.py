"""Which segments a reader takes: against a definition that asks number by number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.segments import Piece, Segment, begun, cover, gaps, superseded

HASH = "ab" * 32


def segment(first: int, last: int, epoch: int = 0, hash_: str = HASH) -> Segment:
    return Segment("m", first, last, epoch, hash_)


spans = st.tuples(st.integers(1, 14), st.integers(-1, 6), st.integers(0, 2))
listings = st.lists(
    st.builds(
        lambda first, more, epoch: segment(first, first + more, epoch),
        *[st.integers(1, 14), st.integers(-1, 6), st.integers(0, 2)],
    ),
    max_size=9,
    unique=True,
)


def taken_at(listing: Sequence[Segment], number: int) -> tuple[int, int] | None:
    """Epoch and end of what stands for a number, by the rule's own words."""
    begun_epochs = [each.epoch for each in listing if each.first <= number]
    if not begun_epochs:
        return None
    epoch = max(begun_epochs)
    ends = [
        each.last for each in listing if each.epoch == epoch and each.first <= number <= each.last
    ]
    return (epoch, max(ends)) if ends else None


def numbers(pieces: Sequence[Piece]) -> dict[int, Segment]:
    return {
        number: piece.segment for piece in pieces for number in range(piece.first, piece.last + 1)
    }


@given(listings, st.integers(1, 16), st.integers(0, 22))
def test_every_number_has_the_segment_of_the_newest_epoch(
    listing: list[Segment], first: int, last: int
) -> None:
    pieces = list(cover(listing, first, last))
    found = numbers(pieces)
    for number in range(first, last + 1):
        wanted = taken_at(listing, number)
        assert (number in found) == (wanted is not None)
        if wanted is not None:
            assert (found[number].epoch) == wanted[0]
    assert all(first <= number <= last for number in found)
    for one, other in pairwise(pieces):
        assert one.last < other.first
    for piece in pieces:
        assert piece.segment.first <= piece.first <= piece.last <= piece.segment.last
        assert taken_at(listing, piece.first) == (piece.segment.epoch, piece.segment.last)


@given(listings, st.integers(1, 16), st.integers(0, 22))
def test_gaps_are_what_is_left_out(listing: list[Segment], first: int, last: int) -> None:
    found = numbers(list(cover(listing, first, last)))
    missing = [number for a, b in gaps(listing, first, last) for number in range(a, b + 1)]
    assert sorted([*missing, *found]) == list(range(first, last + 1))


@given(listings)
def test_without_an_end_it_goes_as_far_as_there_are_segments(listing: list[Segment]) -> None:
    assert list(cover(listing, 1)) == list(cover(listing, 1, 99))
    assert list(cover(listing[::-1], 1)) == list(cover(listing, 1))


@given(listings, st.integers(0, 20))
def test_what_is_superseded_is_missed_by_nobody(listing: list[Segment], archived: int) -> None:
    gone = superseded(listing, archived)
    left = [each for each in listing if each not in gone]
    assert list(cover(left, 1)) == list(cover(listing, 1))
    assert begun(left) == begun(listing)
    for each in gone:
        assert each.last <= archived
        for number in range(each.first, each.last + 1):
            keepers = [
                other
                for other in left
                if other.epoch == each.epoch and other.first <= number <= other.last <= archived
            ]
            assert keepers, f"block {number} of {each} is nowhere else"


@given(listings, st.data())
def test_a_segment_that_is_of_no_use_still_ends_the_epochs_before_it(
    listing: list[Segment], data: st.DataObject
) -> None:
    damaged = {each.key for each in listing if data.draw(st.booleans())}
    found = numbers(list(cover(listing, 1, without=damaged)))
    assert not damaged & {each.key for each in found.values()}
    for number, each in found.items():
        assert each.epoch == max(other.epoch for other in listing if other.first <= number)


def test_an_orphan_of_an_older_epoch_ends_where_the_newer_begins() -> None:
    listing = [segment(1, 4), segment(5, 9), segment(7, 7, 1)]
    assert list(cover(listing, 1)) == [
        Piece(listing[0], 1, 4),
        Piece(listing[1], 5, 6),
        Piece(listing[2], 7, 7),
    ]
    assert superseded(listing, 9) == []


def test_a_rebuild_ends_it_before_anything_new_is_archived() -> None:
    listing = [segment(1, 9), segment(6, 5, 1)]
    assert list(cover(listing, 1)) == [Piece(listing[0], 1, 5)]
    assert superseded(listing, 9) == []


@given(listings)
def test_a_key_tells_all_of_a_segment(listing: list[Segment]) -> None:
    for each in listing:
        assert Segment.named("m", each.key) == each
        assert Segment.named("other", each.key) is None
    for key in ("", "x.jsonl.zst", segment(5, 2).key, segment(1, 2).key + "x"):
        assert Segment.named("m", key) is None
