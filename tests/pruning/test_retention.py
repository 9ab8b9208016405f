"""What retention keeps of snapshots, and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.errors import Misconfigured
from blockfold.domain.retention import (
    KEEP_ALL,
    Retention,
    Thin,
    checked,
    format_duration,
    format_thin,
    parse_duration,
    parse_thin,
    retired,
)

HOUR, DAY = 3_600, 86_400
NOW = 1_795_000_000_000 // (DAY * 1000) * DAY * 1000
"""A midnight."""


def ago(hours: float) -> int:
    return NOW - int(hours * HOUR * 1000)


HOURLY = [(number, ago(100 - number)) for number in range(1, 101)]
"""Snapshots 1 … 100, the newest right now."""


def test_all_are_kept_unless_a_number_is_given() -> None:
    assert retired(HOURLY, KEEP_ALL, NOW) == []
    assert retired(HOURLY, Retention(thin=(Thin(HOUR, HOUR),)), NOW) == []


def test_the_newest_are_kept() -> None:
    assert retired(HOURLY, Retention(snapshots=3), NOW) == list(range(1, 98))
    assert retired(HOURLY, Retention(snapshots=1), NOW) == list(range(1, 100))
    assert retired(HOURLY, Retention(snapshots=1000), NOW) == []
    assert retired([], Retention(snapshots=1), NOW) == []


def test_one_a_day_is_the_last_of_its_day() -> None:
    """Snapshot 100 is midnight's and the first of a new day; 99 is the last of the day before."""
    gone = retired(HOURLY, Retention(snapshots=1, thin=(Thin(DAY, 30 * DAY),)), NOW)
    assert sorted({*range(1, 101)} - {*gone}) == [3, 27, 51, 75, 99, 100]


def test_a_tier_reaches_only_so_far() -> None:
    gone = retired(HOURLY, Retention(snapshots=1, thin=(Thin(DAY, 2 * DAY),)), NOW)
    assert sorted({*range(1, 101)} - {*gone}) == [75, 99, 100]


def test_tiers_add_up() -> None:
    tiers = (Thin(HOUR, 3 * HOUR), Thin(DAY, 30 * DAY))
    gone = retired(HOURLY, Retention(snapshots=2, thin=tiers), NOW)
    assert sorted({*range(1, 101)} - {*gone}) == [3, 27, 51, 75, 97, 98, 99, 100]


tiers = st.builds(
    Thin, every=st.integers(1, 10) | st.just(HOUR), span=st.integers(1, 50) | st.just(DAY)
)
retentions = st.builds(
    Retention, snapshots=st.integers(1, 8), thin=st.lists(tiers, max_size=3).map(tuple)
)
gaps = st.lists(st.integers(0, 4_000) | st.integers(0, 10**8), max_size=30)


@given(gaps, retentions, st.randoms(use_true_random=False))
def test_what_is_left_is_left_again_and_order_does_not_matter(
    between: list[int], retention: Retention, random: object
) -> None:
    snapshots = [(number, NOW - sum(between[number:])) for number in range(len(between))]
    gone = retired(snapshots, retention, NOW)
    left = [each for each in snapshots if each[0] not in gone]
    assert retired(left, retention, NOW) == []
    assert retired(snapshots[::-1], retention, NOW) == gone
    newest = sorted(number for number, _ in snapshots)[-(retention.snapshots or 0) :]
    assert not {*newest} & {*gone}
    for tier in retention.thin:
        covered = {time // (tier.every * 1000) for _, time in left}
        for _, time in snapshots:
            if NOW - time <= tier.span * 1000:
                assert time // (tier.every * 1000) in covered


@given(gaps, retentions, st.lists(st.integers(1, 6 * HOUR * 1000), min_size=1, max_size=6))
def test_thinned_step_by_step_each_bucket_in_reach_keeps_one(
    between: list[int], retention: Retention, steps: list[int]
) -> None:
    """However often it is done while time passes: of those that were kept long enough before."""
    snapshots = [(number, NOW - sum(between[number:])) for number in range(len(between))]
    left, now = snapshots, NOW
    for step in steps:
        now += step
        gone = retired(left, retention, now)
        left = [each for each in left if each[0] not in gone]
    for tier in retention.thin:
        covered = {time // (tier.every * 1000) for _, time in left}
        for _, time in snapshots:
            if now - time <= tier.span * 1000 and _bucket_in_reach(time, tier, now):
                assert time // (tier.every * 1000) in covered


def _bucket_in_reach(time: int, tier: Thin, now: int) -> bool:
    start = time // (tier.every * 1000) * tier.every * 1000
    return now - start <= tier.span * 1000


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("1s", 1, "1s"),
        ("90s", 90, "90s"),
        ("15m", 900, "15m"),
        ("120m", 7_200, "2h"),
        ("12h", 43_200, "12h"),
        ("24h", DAY, "1d"),
        ("7d", 7 * DAY, "7d"),
        ("2w", 14 * DAY, "14d"),
        (" 3d ", 3 * DAY, "3d"),
    ],
)
def test_durations(text: str, seconds: int, shown: str) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == shown
    assert parse_duration(shown) == seconds


@given(st.builds(Thin, every=st.integers(1, DAY), span=st.integers(DAY, 400 * DAY)))
def test_tiers_are_read_as_they_are_written(tier: Thin) -> None:
    assert parse_thin(format_thin(tier)) == tier


WRONG = ["", "d", "1", "1y", "-1d", "0d", "1.5d", "1 d", "d1", "9999999999d", "٣d", "40000d"]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="no duration") as caught:
        parse_duration(text)
    assert "12h" in caught.value.hint


@pytest.mark.parametrize("text", ["1d", "", "1d/", "/1d", "1d/30", "2d/1d", "1d/2d/3d"])
def test_what_is_no_tier_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_thin(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        Retention(snapshots=0),
        Retention(snapshots=-1),
        Retention(blocks=0),
        Retention(days=0),
        Retention(days=10**6),
        Retention(thin=(Thin(HOUR, DAY),)),
    ],
)
def test_what_cannot_be_carried_out_is_refused(wrong: Retention) -> None:
    with pytest.raises(Misconfigured):
        checked(wrong)


def test_what_can_be_is_not() -> None:
    for right in (KEEP_ALL, Retention(snapshots=1, thin=(Thin(HOUR, DAY),), blocks=1, days=1)):
        assert checked(right) is right
