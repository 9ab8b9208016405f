"""Parts of keys sort as their values do, can be read back, and never imitate a separator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.records.parts import (
    BOOLEAN,
    INTEGER,
    MAX_DIGITS,
    MOMENT,
    REAL,
    SEPARATOR,
    TEXT,
    Kind,
    integer_of,
)
from tests.records.samples import odd_texts

numbers = (
    st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1)
    | st.integers(-200, 200)
    | st.builds(
        lambda digits, off, sign: sign * (10**digits + off),
        st.integers(0, MAX_DIGITS - 1),
        st.integers(-2, 2),
        st.sampled_from([1, -1]),
    )
)
moments = st.datetimes(timezones=st.just(UTC))
reals = st.floats(allow_nan=False)

KINDS: list[tuple[Kind, st.SearchStrategy[Any]]] = [
    (TEXT, odd_texts),
    (INTEGER, numbers),
    (BOOLEAN, st.booleans()),
    (MOMENT, moments),
    (REAL, reals),
]
IDS = ["text", "integer", "boolean", "moment", "real"]


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=IDS)
@given(data=st.data())
def test_parts_sort_as_values_and_can_be_read_back(
    kind: Kind, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    some = data.draw(st.lists(values, min_size=2, max_size=6))
    parts = [kind.part(each) for each in some]
    assert all(part.isprintable() or kind is TEXT for part in parts)
    assert not any(SEPARATOR in part for part in parts)
    for (one, a), (other, b) in product(zip(some, parts, strict=True), repeat=2):
        assert (one < other) == (a < b)
        assert (one == other) == (a == b)
    if kind.descending is not None:
        down = [kind.descending(each) for each in some]
        assert not any(SEPARATOR in part for part in down)
        for (one, a), (other, b) in product(zip(some, down, strict=True), repeat=2):
            assert (one < other) == (a > b)
            assert (one == other) == (a == b)
    if kind.value is not None:
        assert [kind.value(part) for part in parts] == some


@given(some=st.lists(st.tuples(odd_texts, numbers, odd_texts), min_size=2, max_size=6))
def test_joined_parts_sort_as_tuples(some: list[tuple[str, int, str]]) -> None:
    def joined(each: tuple[str, int, str]) -> str:
        text, number, more = each
        return SEPARATOR.join([TEXT.part(text), INTEGER.part(number), TEXT.part(more)])

    assert sorted(some) == sorted(some, key=joined)
    assert len({joined(each) for each in some}) == len(set(some))


def test_what_the_page_says_of_the_keys() -> None:
    assert [INTEGER.part(n) for n in (0, 7, 42, -7, -42)] == ["a0", "a7", "b42", "Z2", "Y57"]
    assert INTEGER.part(10**25) == "z00" + "1" + "0" * 25
    assert TEXT.part("two words#$!") == "two$`words$c$d$a"
    assert MOMENT.part(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00.000000Z"


def test_moments_are_the_same_wherever_they_were_told() -> None:
    there = datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=2)))
    assert MOMENT.part(there) == "2026-01-31T12:00:00.000000Z"
    with pytest.raises(ValueError, match="time zone"):
        MOMENT.part(there.replace(tzinfo=None))
    assert MOMENT.descending is not None
    with pytest.raises(ValueError, match="time zone"):
        MOMENT.descending(there.replace(tzinfo=None))


def test_numbers_without_a_place() -> None:
    with pytest.raises(ValueError, match="125 digits"):
        INTEGER.part(10**MAX_DIGITS)
    with pytest.raises(ValueError, match="NaN"):
        REAL.part(float("nan"))
    assert REAL.part(-0.0) == REAL.part(0.0)


@pytest.mark.parametrize("part", ["", "a", "z", "z0", "b²", "a-1", "Q"])
def test_what_is_no_integer_is_refused(part: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of them finds it
        integer_of(part)
    with pytest.raises(ValueError, match="no boolean"):
        BOOLEAN.value("x")  # type: ignore[misc]
