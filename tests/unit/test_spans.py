"""Spans and gaps, against a model that has one key after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.canonical import check_key
from blockfold.domain.spans import FIRST, LAST, covered, gaps

KEYS = "abcdefghij"
edges = st.sampled_from([FIRST, *KEYS])
spans = st.dictionaries(edges, st.sampled_from(KEYS), max_size=5).map(
    lambda found: [(start, end) for start, end in found.items() if start < end]
)


def inside(key: str, span: tuple[str, str]) -> bool:
    return span[0] < key <= span[1]


@given(spans)
def test_gaps_are_what_no_span_has(done: list[tuple[str, str]]) -> None:
    found = list(gaps(done))
    for key in KEYS:
        open_ = any(inside(key, (gap.after, gap.upto)) for gap in found)
        assert open_ != any(inside(key, span) for span in done)
    assert found == sorted(found, key=lambda gap: gap.after)


@given(spans, edges, edges)
def test_gaps_within_a_range(done: list[tuple[str, str]], one: str, other: str) -> None:
    start, end = sorted((one, other))
    found = list(gaps(done, start, end))
    for key in KEYS:
        wanted = inside(key, (start, end)) and not any(inside(key, span) for span in done)
        assert any(inside(key, (gap.after, gap.upto)) for gap in found) == wanted


@given(spans, st.sampled_from(KEYS))
def test_filling_a_gap_by_its_owner_leaves_what_is_behind(
    done: list[tuple[str, str]], key: str
) -> None:
    """The owner's span, made longer up to a key of the gap, covers exactly that much more."""
    for gap in gaps(done):
        if not gap.after < key <= gap.upto:
            continue
        longer = dict(done) | {gap.owner: key}
        for each in KEYS:
            before = any(inside(each, span) for span in done)
            after = any(inside(each, span) for span in longer.items())
            assert after == (before or inside(each, (gap.after, key)))


@given(spans, st.sampled_from(KEYS), st.sampled_from(KEYS))
def test_what_is_covered_has_no_gap(done: list[tuple[str, str]], one: str, other: str) -> None:
    first, last = sorted((one, other))
    between = [key for key in KEYS if first <= key <= last]
    assert covered(done, first, last) == all(
        any(inside(key, span) for span in done) for key in between
    )


def test_no_key_is_above_the_last() -> None:
    assert check_key(LAST) == LAST
    assert len(LAST.encode()) == 1_024
    assert list(gaps([(FIRST, LAST)])) == []
