"""Which blocks are due, and what each call makes of a schedule."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.policy import Policy
from blockfold.domain.schedule import (
    MAX_COUNT,
    OFF,
    Change,
    Schedule,
    Setting,
    set_count,
    set_policy,
    start,
    stop,
)

Settings = list[tuple[int, bool, int | None]]


def schedule(*settings: tuple[int, bool, int | None]) -> Schedule:
    return Schedule(tuple(Setting(first, running, count) for first, running, count in settings))


def due(of: Schedule, last: int) -> list[int]:
    found = list(of.due_between(1, last))
    assert found == [number for number in range(last + 1) if of.due(number)]
    return found


# -- which blocks are due --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([(1, True, 1)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ([(1, True, 5)], [5, 10]),
        ([(1, True, 12)], [12]),
        ([(1, True, 13)], []),
        ([(1, False, 5)], []),
        ([(1, False, None)], []),
        ([(1, True, None)], []),
        ([(1, False, None), (5, True, 5)], [5, 10]),  # due at the very first block that it holds
        ([(1, False, None), (6, True, 5)], [10]),
        ([(1, True, 5), (5, False, 5)], []),  # stopped right before a due one
        ([(1, True, 5), (6, False, 5)], [5]),
        ([(1, True, 5), (6, False, 5), (10, True, 5)], [5, 10]),
        ([(1, True, 5), (6, False, 5), (11, True, 5)], [5]),  # passed while stopped
        ([(1, True, 2), (5, True, 3)], [2, 4, 6, 9, 12]),
        ([(1, True, 3), (7, True, 3)], [3, 6, 9, 12]),
    ],
)
def test_a_block_is_due_by_the_setting_that_held_at_it(
    settings: Settings, expected: list[int]
) -> None:
    assert due(schedule(*settings), 12) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1, 4, []),
        (5, 5, [5]),
        (6, 9, []),
        (5, 15, [5, 10, 15]),
        (6, 14, [10]),
        (0, 5, [5]),
        (-10, 5, [5]),
        (10, 9, []),
        (1, 0, []),
    ],
)
def test_bounds_are_inclusive_and_blocks_start_at_1(
    first: int, last: int, expected: list[int]
) -> None:
    assert list(Schedule.new(5).due_between(first, last)) == expected


@pytest.mark.parametrize("count", [None, 0])
def test_without_a_count_a_new_machine_is_off(count: int | None) -> None:
    assert Schedule.new(count) == OFF
    assert (OFF.current.running, OFF.current.count) == (False, None)
    assert due(OFF, 50) == []
    assert OFF.next_due(0) is None


@pytest.mark.parametrize(
    ("head", "expected"), [(0, 5), (3, 5), (4, 5), (5, 10), (6, 10), (9, 10), (10, 15)]
)
def test_the_next_due_block_lies_above_the_head(head: int, expected: int) -> None:
    assert Schedule.new(5).next_due(head) == expected


def test_the_next_due_block_waits_for_the_setting_to_hold() -> None:
    assert schedule((1, True, 2), (9, True, 4)).next_due(6) == 12
    assert schedule((1, True, 2), (8, True, 4)).next_due(6) == 8
    assert schedule((1, True, 2), (9, False, 4)).next_due(6) is None


def test_a_million_blocks_are_looked_through_without_counting_each() -> None:
    assert list(Schedule.new(MAX_COUNT).due_between(1, 3 * MAX_COUNT)) == [
        MAX_COUNT,
        2 * MAX_COUNT,
        3 * MAX_COUNT,
    ]


# -- calls -----------------------------------------------------------------------------------------


def test_a_setting_holds_from_the_block_after_the_head() -> None:
    change = set_count(Schedule.new(5), 10, 4)
    assert change == Change(schedule((1, True, 5), (11, True, 4)), changed=True)
    assert due(change.schedule, 20) == [5, 10, 12, 16, 20]


def test_before_the_first_block_a_setting_replaces_the_machines_own() -> None:
    assert set_count(Schedule.new(5), 0, 3).schedule == schedule((1, True, 3))
    assert stop(Schedule.new(5), 0).schedule == schedule((1, False, 5))
    assert set_count(Schedule.new(5), 0, None).schedule == OFF


def test_changes_at_the_same_head_leave_only_the_last() -> None:
    changed = Schedule.new(5)
    for count in (7, 8, None, 9):
        changed = set_count(changed, 10, count).schedule
    assert changed == schedule((1, True, 5), (11, True, 9))


def test_a_change_that_is_taken_back_at_the_same_head_leaves_no_trace() -> None:
    stopped = stop(Schedule.new(5), 10).schedule
    assert stopped == schedule((1, True, 5), (11, False, 5))
    assert start(stopped, 10) == Change(Schedule.new(5), changed=True)


def test_a_change_that_is_taken_back_a_block_later_does() -> None:
    stopped = stop(Schedule.new(5), 9).schedule
    started = start(stopped, 10).schedule
    assert started == schedule((1, True, 5), (10, False, 5), (11, True, 5))
    assert due(started, 20) == [5, 15, 20]


@pytest.mark.parametrize(
    "count", [0, -1, -(10**30), 1.0, 2.5, "5", "", True, False, [5], {}, MAX_COUNT + 1, 10**30]
)
@pytest.mark.parametrize("before", [OFF, Schedule.new(5), stop(Schedule.new(5), 3).schedule])
def test_a_count_that_is_none_changes_nothing_and_says_why(count: object, before: Schedule) -> None:
    change = set_count(before, 10, count)
    assert change.schedule is before
    assert not change.changed
    assert change.reason is not None
    assert repr(count) in change.reason
    assert "1 to 1,000,000,000 or null" in change.reason


@pytest.mark.parametrize("count", [1, MAX_COUNT])
def test_the_least_and_the_largest_count(count: int) -> None:
    assert set_count(OFF, 0, count).schedule == Schedule.new(count)


# -- policies --------------------------------------------------------------------------------------

QUIET = Policy(quiet=30)


def policies(of: Schedule) -> list[tuple[int, bool, int | None, Policy | None]]:
    return [(each.first, each.running, each.count, each.policy) for each in of.settings]


def test_a_policy_holds_from_the_block_after_the_head_and_runs() -> None:
    change = set_policy(stop(Schedule.new(5), 3).schedule, 10, {"quiet": 30})
    assert change.changed
    assert policies(change.schedule) == [
        (1, True, 5, None),
        (4, False, 5, None),
        (11, True, 5, QUIET),
    ]
    assert due(change.schedule, 20) == [15, 20], "it runs by the count as well"


def test_a_policy_changes_nothing_of_what_is_due_by_count() -> None:
    changed = Schedule.new(3)
    for head, fields in ((4, {"quiet": 30}), (7, {"bytes": 5}), (11, {"quiet": None})):
        changed = set_policy(changed, head, fields).schedule
    assert due(changed, 15) == due(Schedule.new(3), 15)
    assert changed.next_due(11) == 12


def test_forgetting_the_count_leaves_a_policy_running_and_a_stopped_one_stopped() -> None:
    both = Schedule.new(5, QUIET)
    assert policies(set_count(both, 10, None).schedule)[-1] == (11, True, None, QUIET)
    stopped = stop(both, 10).schedule
    assert policies(set_count(stopped, 11, None).schedule)[-1] == (12, False, None, QUIET)


def test_start_runs_by_a_policy_alone() -> None:
    stopped = stop(Schedule.new(None, QUIET), 10).schedule
    assert stopped.current.fresh is None
    started = start(stopped, 12)
    assert started.changed
    assert policies(started.schedule)[-1] == (13, True, None, QUIET)


def test_clearing_the_last_policy_is_off_only_without_a_count() -> None:
    assert policies(set_policy(Schedule.new(5, QUIET), 9, {"quiet": None}).schedule) == [
        (1, True, 5, QUIET),
        (10, True, 5, None),
    ]
    assert policies(set_policy(Schedule.new(None, QUIET), 9, {"quiet": None}).schedule) == [
        (1, True, None, QUIET),
        (10, False, None, None),
    ]


def test_clearing_does_not_start() -> None:
    stopped = stop(Schedule.new(5, Policy(quiet=30, minutes=5)), 9).schedule
    cleared = set_policy(stopped, 12, {"quiet": None})
    assert policies(cleared.schedule)[-1] == (13, False, 5, Policy(minutes=5))
    assert set_policy(cleared.schedule, 12, {"bytes": None}) == Change(
        cleared.schedule, changed=False
    )


@pytest.mark.parametrize(
    "fields", [{}, {"quiet": 0}, {"minutes": "5"}, {"quiet_most": 9}, {"quiet": 5, "bytes": -1}]
)
@pytest.mark.parametrize("before", [OFF, Schedule.new(5), stop(Schedule.new(5), 3).schedule])
def test_a_policy_that_cannot_be_changes_nothing_and_says_why(
    fields: dict[str, object], before: Schedule
) -> None:
    change = set_policy(before, 10, fields)
    assert change.schedule is before
    assert not change.changed
    assert change.reason


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([], None),
        ([(4, {"quiet": 30})], 5),
        ([(4, {"quiet": 30}), (9, {"quiet": 60}), (12, {"bytes": 5})], 5),  # unbroken
        ([(4, {"quiet": 30}), (9, "count")], 5),
        ([(4, {"quiet": 30}), (9, "stop")], None),
        ([(4, {"quiet": 30}), (9, "stop"), (9, "start")], 5),  # no block passed meanwhile
        ([(4, {"quiet": 30}), (9, "stop"), (12, "start")], 13),
        ([(4, {"quiet": 30}), (9, {"quiet": None}), (12, {"minutes": 1})], 13),
    ],
)
def test_the_first_block_that_a_policy_speaks_for(
    calls: list[tuple[int, Any]], expected: int | None
) -> None:
    found = Schedule.new(7)
    for head, what in calls:
        if what == "count":
            found = set_count(found, head, 2).schedule
        elif isinstance(what, str):
            found = CALLS[what](found, head).schedule
        else:
            found = set_policy(found, head, what).schedule
    assert found.fresh_from == expected


# -- against a model -------------------------------------------------------------------------------

CALLS: dict[str, Any] = {"start": start, "stop": stop}
calls = st.one_of(
    st.tuples(st.sampled_from(["start", "stop"]), st.none()),
    st.tuples(st.just("set_count"), st.none() | st.integers(-1, 5) | st.just("x")),
    st.tuples(st.just("blocks"), st.integers(0, 7)),
)


def next_setting(
    setting: tuple[bool, int | None], call: str, count: object
) -> tuple[bool, int | None]:
    """The design page's table, once more."""
    running, stored = setting
    if call == "start":
        return (stored is not None, stored)
    if call == "stop":
        return (False, stored)
    if count is None:
        return (False, None)
    if isinstance(count, int) and count > 0:
        return (True, count)
    return (running, stored)


@given(st.none() | st.integers(0, 4), st.lists(calls, max_size=20), st.integers(0, 60))
def test_every_block_is_judged_by_the_calls_before_it(
    own: int | None, script: list[tuple[str, Any]], later: int
) -> None:
    found = Schedule.new(own)
    setting: tuple[bool, int | None] = (bool(own), own or None)
    at_block: list[tuple[bool, int | None]] = [(False, None)]
    for call, argument in script:
        if call == "blocks":
            at_block += [setting] * argument
            continue
        head = len(at_block) - 1
        arguments = (argument,) if call == "set_count" else ()
        change = CALLS.get(call, set_count)(found, head, *arguments)
        after = next_setting(setting, call, argument)
        assert change.changed == (after != setting)
        assert (change.schedule == found) == (not change.changed)
        found, setting = change.schedule, after
        assert (found.current.running, found.current.count) == setting
    head = len(at_block) - 1
    at_block += [setting] * later
    expected = [
        number
        for number, (running, count) in enumerate(at_block)
        if running and count and number % count == 0 and number
    ]
    assert due(found, head + later) == expected
    above = (number for number in expected if number > head)
    if found.next_due(head) in range(head + later + 1):
        assert found.next_due(head) == next(above)
    else:
        assert next(above, None) is None
    firsts = [each.first for each in found.settings]
    assert firsts[0] == 1
    assert all(one < two for one, two in pairwise(firsts))
    assert all(
        (one.running, one.count) != (two.running, two.count)
        for one, two in pairwise(found.settings)
    )
