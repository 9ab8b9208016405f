"""A producer's counter tells the same as the set of what was executed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain import counters as module
from blockfold.domain.counters import NONE, Counter
from blockfold.domain.errors import Corrupted

counts = st.lists(st.integers(1, 30), max_size=40)


@given(counts)
def test_it_holds_what_was_counted_and_nothing_else(done: list[int]) -> None:
    counter = NONE.after_all(done)
    assert [count for count in range(1, 40) if counter.holds(count)] == sorted(set(done))
    assert counter.last == max(done, default=0)


@given(counts)
def test_gaps_are_in_order_and_apart(done: list[int]) -> None:
    missing = NONE.after_all(done).missing
    edges = [edge for gap in missing for edge in gap]
    assert edges == sorted(edges)
    assert all(first <= last for first, last in missing)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(missing))


@given(counts, st.data())
def test_counting_again_changes_nothing(done: list[int], data: st.DataObject) -> None:
    counter = NONE.after_all(done)
    again = data.draw(st.lists(st.sampled_from(done), max_size=9)) if done else []
    assert counter.after_all(again) is counter


@given(counts)
def test_what_is_stored_is_read_again(done: list[int]) -> None:
    counter = NONE.after_all(done)
    assert Counter.decoded(counter.encoded()) == counter


@given(counts, st.integers(1, 40))
def test_a_gap_is_what_comes_to_be_missing(done: list[int], count: int) -> None:
    counter = NONE.after_all(done)
    gap = counter.gap_before(count)
    new = set(counter.after(count).missing) - set(counter.missing)
    if count > counter.last:
        assert new == ({gap} if gap else set())
    else:
        assert gap is None


def test_of_more_gaps_than_it_tells_apart_the_oldest_become_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_GAPS", 3)
    counter = NONE.after_all(range(2, 11, 2))
    assert counter.missing == ((1, 5), (7, 7), (9, 9))
    assert not counter.holds(4), "it may be executed again: what is certain is that 1 may be"
    assert counter.holds(6)
    assert counter.holds(10)
    assert counter.after(3).missing == ((1, 5), (7, 7), (9, 9)), "still no more than three"


def test_as_many_gaps_as_can_be_take_little_room() -> None:
    counter = NONE.after_all(range(10**6, 10**6 + 10_000, 7))
    assert len(counter.missing) == module.MOST_GAPS
    assert len(counter.encoded()) < 2_500


@pytest.mark.parametrize("value", [None, b"", b"7", b'{"last":"x"}', b'{"missing":[[1]]}'])
def test_what_is_no_counter_is_told(value: bytes | None) -> None:
    with pytest.raises(Corrupted, match="no producer's counter") as caught:
        Counter.decoded(value)
    assert "rebuild" in caught.value.hint
