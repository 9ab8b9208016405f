"""A superseded segment goes only after what holds its blocks besides was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application import prune_segments
from blockfold.domain.errors import Corrupted, Unavailable
from blockfold.domain.retention import DAY
from blockfold.domain.segments import Segment, cover, superseded
from blockfold.ports import Archive
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import PruneStack


@dataclass
class Shelf:
    """An archive of names alone, which writes down what is asked of it."""

    listed: list[Segment]
    damaged: Segment | None = None
    read_: list[Segment] = field(default_factory=list)
    deleted: list[list[Segment]] = field(default_factory=list)

    def segments(self, _machine: str) -> list[Segment]:
        return list(self.listed)

    def read(self, segment: Segment) -> Iterator[Any]:
        if segment == self.damaged:
            raise Corrupted(segment.key)
        self.read_.append(segment)
        return iter(())

    def delete(self, segments: Iterable[Segment]) -> None:
        self.deleted.append([*segments])

    @property
    def gone(self) -> list[Segment]:
        return [segment for batch in self.deleted for segment in batch]


def named(first: int, last: int, epoch: int = 0) -> Segment:
    return Segment(MACHINE, first, last, epoch, f"{(first << 20) + last:064x}")


def drop(
    shelf: Shelf, doomed: Sequence[Segment], in_time: Callable[[], bool] = lambda: True
) -> list[Segment]:
    return prune_segments.drop(cast("Archive", shelf), MACHINE, doomed, in_time)


def one_by_one(shelf: Shelf, doomed: Sequence[Segment]) -> list[Segment]:
    """The same, told as simply as can be: each is held against all that stay."""
    gone = []
    for segment in doomed:
        without = {each.key for each in doomed}
        pieces = [*cover(shelf.listed, segment.first, segment.last, without=without)]
        if sum(piece.last - piece.first + 1 for piece in pieces) == segment.blocks:
            gone.append(segment)
    return gone


@st.composite
def listings(draw: st.DrawFn) -> list[Segment]:
    """Batches as they were shipped, merged and merged again; some of any kind; epochs that rise."""
    found: set[Segment] = set()
    last = 0
    for epoch in range(draw(st.integers(1, 3))):
        cuts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=12))
        firsts = [last + 1 + sum(cuts[:position]) for position in range(len(cuts) + 1)]
        found |= {named(one, other - 1, epoch) for one, other in pairwise(firsts)}
        for step in draw(st.lists(st.integers(2, 6), max_size=2)):
            found |= {named(one, other - 1, epoch) for one, other in pairwise(firsts[::step])}
        for first, more in draw(st.lists(st.tuples(st.sampled_from(firsts), st.integers(0, 6)))):
            found.add(named(first, first + more, epoch))
        last = draw(st.integers(0, firsts[-1]))
    lost = draw(st.sets(st.sampled_from(sorted(found)), max_size=3))
    return sorted(found - lost)


ARCHIVED = st.sampled_from([1_000, 20, 30])


def assert_held(shelf: Shelf, gone: Iterable[Segment]) -> None:
    """Each block of what went stands in something that was read and stays."""
    for segment in gone:
        held = {
            number
            for each in shelf.read_
            if each.epoch == segment.epoch
            for number in range(each.first, each.last + 1)
        }
        assert held >= {*range(segment.first, segment.last + 1)}
    assert not {*gone} & {*shelf.read_}


@given(listings(), ARCHIVED, st.data())
def test_exactly_those_go_that_went_one_by_one(
    listed: list[Segment], archived: int, data: st.DataObject
) -> None:
    old = superseded(listed, archived)
    doomed = [segment for segment in old if data.draw(st.booleans())]
    shelf = Shelf(listed)
    assert drop(shelf, doomed) == shelf.gone == one_by_one(shelf, doomed) == doomed
    assert_held(shelf, doomed)
    assert len(shelf.read_) == len({*shelf.read_}), "nothing is read twice"


@given(listings(), ARCHIVED, listings(), st.data())
def test_whatever_was_written_and_deleted_since_the_plan(
    listed: list[Segment], archived: int, later: list[Segment], data: st.DataObject
) -> None:
    """Only what is held by what was read, and never more than one by one."""
    doomed = superseded(listed, archived)
    left = [segment for segment in listed if segment in doomed or data.draw(st.booleans())]
    shelf = Shelf(sorted({*left, *later}))
    gone = drop(shelf, doomed)
    assert gone == shelf.gone
    assert_held(shelf, gone)
    assert {*gone} <= {*one_by_one(shelf, doomed)}


@given(listings(), ARCHIVED, st.data())
def test_a_damaged_segment_or_the_end_of_time_stops_what_would_need_it(
    listed: list[Segment], archived: int, data: st.DataObject
) -> None:
    doomed = superseded(listed, archived)
    whole = Shelf(listed)
    drop(whole, doomed)
    if not whole.read_:
        return
    position = data.draw(st.integers(0, len(whole.read_) - 1))
    damaged = Shelf(listed, whole.read_[position])
    with pytest.raises(Corrupted):
        drop(damaged, doomed)
    left = iter([True] * position)
    late = Shelf(listed)
    assert drop(late, doomed, lambda: next(left, False)) == late.gone == damaged.gone
    assert late.read_ == damaged.read_ == whole.read_[:position]
    assert_held(late, late.gone)


def test_a_rebuild_between_plan_and_deletion_leaves_what_is_held_by_another_epoch_only() -> None:
    """The blocks of those numbers are others now: nothing holds the old ones any more."""
    small, large = named(5, 8), named(1, 10)
    doomed = superseded([large, small], 10)
    assert doomed == [small]
    since = Shelf(sorted([large, small, named(7, 6, 1), named(7, 12, 1)]))
    assert drop(since, doomed) == []
    assert since.read_ == []


@pytest.mark.parametrize("count", [10, 2_345])
def test_what_stays_is_laid_out_once_and_deleted_a_thousand_at_a_time(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an archiver leaves it: segments of two blocks, merged by ten."""
    small = [named(first, first + 1) for first in range(1, 2 * count, 2)]
    large = [named(first, first + 19) for first in range(1, 2 * count, 20)]
    shelf = Shelf(sorted([*small, *large]))
    doomed = superseded(shelf.listed, 10**6)
    assert doomed == small
    laid: list[int] = []

    def counted(*args: Any, **named_: Any) -> Iterator[Any]:
        laid.append(1)
        return cover(*args, **named_)

    monkeypatch.setattr(prune_segments, "cover", counted)
    assert drop(shelf, doomed) == small
    assert len(laid) == 1
    assert shelf.read_ == large
    assert [len(batch) for batch in shelf.deleted] == [
        *[1_000] * (count // 1_000),
        count % 1_000,
    ]
    assert all(one.first < other.first for one, other in pairwise(shelf.gone))


def test_a_request_that_fails_leaves_the_rest_to_the_next_time() -> None:
    small = [named(first, first) for first in range(1, 2_001)]

    class Failing(Shelf):
        def delete(self, segments: Iterable[Segment]) -> None:
            if self.deleted:
                raise Unavailable("injected")
            super().delete(segments)

    shelf = Failing(sorted([*small, named(1, 2_000)]))
    with pytest.raises(Unavailable, match="injected"):
        drop(shelf, small)
    assert shelf.gone == small[:1_000]


def test_a_segment_does_not_vouch_for_itself() -> None:
    stack = PruneStack()
    stack.grow(30)
    blocks = stack.blocks()
    for first, last in ((1, 10), (5, 12), (8, 30)):
        stack.archive.write(blocks[first - 1 : last])
    stack.machines.raise_watermark(MACHINE, "archived", 30)
    (large,) = (each for each in stack.archive.segments(MACHINE) if each.first == 8)
    stack.objects.replace(large.key, b"a merge that died before it was read back")
    stack.pass_time(3 * DAY * 1000)
    plan = stack.pruner().plan(MACHINE)
    assert [segment.first for segment in plan.segments] == [5]
    with pytest.raises(Corrupted):
        stack.pruner().carry_out(plan, deadline=NEVER)
    assert [segment.first for segment in stack.archive.segments(MACHINE)] == [1, 5, 8]
