"""Amounts as people write them on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.cli import amounts
from blockfold.domain.errors import Misconfigured


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("2 h", 7_200),
        ("1D", 86_400),
        ("none", None),
        ("None", None),
    ],
)
def test_seconds(text: str, expected: int | None) -> None:
    assert amounts.seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500", 500),
        ("500B", 500),
        ("64kB", 64_000),
        ("10MB", 10**7),
        ("1 gb", 10**9),
        ("none", None),
    ],
)
def test_sizes(text: str, expected: int | None) -> None:
    assert amounts.size(text) == expected


@pytest.mark.parametrize("text", ["", "s", "-5", "1.5m", "5x", "5mb", "1e3", "½", "٣", "9" * 30])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        amounts.seconds(text)
    assert caught.value.message == f"{text!r} is no time"
    assert caught.value.hint == "write 30s, 5m, 2h or none"


@pytest.mark.parametrize("text", ["5m", "5s", "1h", "-1"])
def test_minutes_have_no_unit(text: str) -> None:
    assert amounts.minutes("60") == 60
    assert amounts.minutes("none") is None
    with pytest.raises(Misconfigured, match="no number of minutes"):
        amounts.minutes(text)


@pytest.mark.parametrize("text", ["many", "5m", "5KiB", "1.5GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="is no size"):
        amounts.size(text)


@given(st.integers(1, 10**15))
def test_what_is_written_is_read_again(amount: int) -> None:
    assert amounts.seconds(amounts.in_seconds(amount).replace(",", "")) == amount
    assert amounts.size(amounts.in_bytes(amount).replace(",", "")) == amount


def test_amounts_are_written_in_the_largest_whole_unit() -> None:
    written = [amounts.in_seconds(each) for each in (1, 90, 600, 5_400, 7_200, 172_800)]
    assert written == ["1 s", "90 s", "10 m", "90 m", "2 h", "2 d"]
    written = [amounts.in_bytes(each) for each in (999, 1_001, 64_000, 10**7, 3 * 10**12)]
    assert written == ["999 B", "1,001 B", "64 kB", "10 MB", "3 TB"]
