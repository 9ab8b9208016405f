"""Points of the past: one parser, one error, and the block that each means."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.errors import Misconfigured, NotFound
from blockfold.domain.point import AtBlock, AtSnapshot, AtTime, Point, parse_point
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack
from tests.strategies import SENT

MIDNIGHT = 1_769_860_800_000
"""2026-01-31T12:00:00Z."""


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("0", AtBlock(0)),
        ("12", AtBlock(12)),
        ("007", AtBlock(7)),
        ("snapshot:12", AtSnapshot(12)),
        ("2026-01-31T12:00:00Z", AtTime(MIDNIGHT)),
        ("2026-01-31t12:00:00z", AtTime(MIDNIGHT)),
        ("2026-01-31 12:00:00Z", AtTime(MIDNIGHT)),
        ("2026-01-31T14:00:00+02:00", AtTime(MIDNIGHT)),
        ("2026-01-31T12:00:00.123Z", AtTime(MIDNIGHT + 123)),
        ("2026-01-31T12:00:00.123999Z", AtTime(MIDNIGHT + 123)),
        ("1969-12-31T23:59:59.999Z", AtTime(-1)),
    ],
)
def test_the_three_forms(text: str, point: Point) -> None:
    assert parse_point(text) == point


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "-1",
        "+1",
        " 1",
        "1.0",
        "١٢",
        "9" * 5_000,
        "snapshot:",
        "snapshot:-1",
        "snapshot:x",
        "Snapshot 3",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z",
    ],
)
def test_anything_else_is_refused_and_the_forms_are_named(text: str) -> None:
    with pytest.raises(Misconfigured, match="names no block") as caught:
        parse_point(text)
    for form in ("12", "2026-01-31T12:00:00Z", "RFC 3339", "snapshot:12"):
        assert form in caught.value.hint


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(Misconfigured):
        parse_point(text)


@pytest.fixture
def stack() -> Stack:
    """Blocks 1 to 5 at `SENT` + 1 … 5 ms, a snapshot of block 3."""
    stack = Stack()
    stack.grow(5)
    stack.dumper().dump(MACHINE, 3)
    return stack


@pytest.mark.parametrize(
    ("point", "number"),
    [
        (AtBlock(0), 0),
        (AtBlock(5), 5),
        (AtSnapshot(3), 3),
        (AtTime(SENT + 1), 1),
        (AtTime(SENT + 4), 4),
        (AtTime(SENT + 10_000), 5),
    ],
)
def test_which_block_a_point_means(stack: Stack, point: Point, number: int) -> None:
    assert stack.reader().number_at(MACHINE, point) == number


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (AtBlock(6), r"no block 6 \(its blocks are 0 to 5\)"),
        (AtSnapshot(6), "no block 6"),
        (AtSnapshot(2), r"no snapshot of block 2 \(name block 2 itself"),
        (AtSnapshot(0), "no snapshot of block 0"),
        (AtTime(SENT), "no blocks at that time .*its first block came later"),
    ],
)
def test_points_that_are_not_there(stack: Stack, point: Point, message: str) -> None:
    with pytest.raises(NotFound, match=message):
        stack.reader().number_at(MACHINE, point)


def test_a_machine_that_is_not_there(stack: Stack) -> None:
    with pytest.raises(NotFound, match="no machine 'nobody'"):
        stack.reader().number_at("nobody", AtBlock(0))
