"""When a policy calls for a snapshot, and what may be set."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.policy import LARGEST, Facts, Policy, amended, fresh_due
from blockfold.domain.schedule import Setting

QUIET = Policy(quiet=30)
BOUNDED = Policy(quiet=30, quiet_most=120)
HOURLY = Policy(minutes=60)
LARGE = Policy(bytes=1_000)
ALL = Policy(quiet=30, quiet_most=120, minutes=1, bytes=1_000)

# policy, (blocks, silence in ms, age in ms, bytes) → seconds until due
TABLE: list[tuple[str, Policy, tuple[int, int | None, int, int], int | None]] = [
    ("nothing is new", ALL, (0, 10**9, 10**9, 10**9), None),
    ("nothing is promised", Policy(), (5, 10**9, 10**9, 10**9), None),
    ("quiet: just now", QUIET, (1, 0, 0, 0), 30),
    ("quiet: soon", QUIET, (1, 29_001, 29_001, 0), 1),
    ("quiet: a millisecond is missing", QUIET, (1, 29_999, 29_999, 0), 1),
    ("quiet: now", QUIET, (1, 30_000, 30_000, 0), 0),
    ("quiet: long ago", QUIET, (3, 10**12, 10**12, 0), 0),
    ("quiet: the bound of steady traffic by default", QUIET, (9, None, 0, 0), 600),
    ("quiet: the default bound is reached", QUIET, (9, None, 600_000, 0), 0),
    ("quiet: ten quiet periods", Policy(quiet=100), (9, None, 0, 0), 1_000),
    ("quiet: the bound is nearer than silence", BOUNDED, (9, 5_000, 100_000, 0), 20),
    ("quiet: silence is nearer than the bound", BOUNDED, (9, 25_000, 60_000, 0), 5),
    ("quiet: the bound is reached", BOUNDED, (9, 1_000, 120_000, 0), 0),
    ("quiet: nobody waited", BOUNDED, (9, None, 119_000, 0), 1),
    ("minutes: silence is nothing", HOURLY, (1, 10**9, 0, 0), 3_600),
    ("minutes: soon", HOURLY, (4, None, 3_599_001, 0), 1),
    ("minutes: now", HOURLY, (4, None, 3_600_000, 0), 0),
    ("bytes: not yet, and time is nothing", LARGE, (4, 10**9, 10**9, 999), None),
    ("bytes: now", LARGE, (1, None, 0, 1_000), 0),
    ("all: the nearest", ALL, (2, 0, 55_000, 999), 5),
    ("all: silence", ALL, (2, 30_000, 31_000, 0), 0),
    ("all: bytes", ALL, (2, 0, 0, 1_001), 0),
]


@pytest.mark.parametrize(
    ("policy", "facts", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_due(policy: Policy, facts: tuple[int, int | None, int, int], expected: int | None) -> None:
    blocks, silence, age, size = facts
    assert fresh_due(policy, Facts(blocks, silence, age, size)) == expected


def fields(least: int = 1, most: int = 5_000) -> st.SearchStrategy[Policy]:
    values = st.none() | st.integers(least, most)
    return st.builds(Policy, quiet=values, minutes=values, bytes=values)


@given(fields(), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**4))
def test_what_is_due_in_some_seconds_is_due_then_and_not_a_second_before(
    policy: Policy, silence: int, more: int, size: int
) -> None:
    def left(milliseconds: int) -> int | None:
        facts = Facts(1, silence + milliseconds, silence + more + milliseconds, size)
        return fresh_due(policy, facts)

    seconds = left(0)
    if seconds is None:
        assert left(10**12) is None, "only a block can change that"
    elif seconds:
        assert left(1000 * seconds) == 0
        assert left(1000 * seconds - 1000) != 0


# -- setting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        (None, {"quiet": 30}, Policy(quiet=30)),
        (Policy(quiet=30), {"minutes": 60}, Policy(quiet=30, minutes=60)),
        (Policy(quiet=30, bytes=5), {"quiet": None}, Policy(bytes=5)),
        (BOUNDED, {"quiet": None}, Policy()),
        (BOUNDED, {"quiet_most": None}, QUIET),
        (BOUNDED, {"quiet": 120}, Policy(quiet=120, quiet_most=120)),
        (None, {"quiet_most": 60, "quiet": 60}, Policy(quiet=60, quiet_most=60)),
        (None, {"bytes": None, "quiet_most": None}, Policy()),
        (None, dict(LARGEST), Policy(**LARGEST)),
        (ALL, dict.fromkeys(LARGEST, 1), Policy(quiet=1, quiet_most=1, minutes=1, bytes=1)),
    ],
)
def test_fields_are_set_and_cleared(
    before: Policy | None, given: dict[str, object], after: Policy
) -> None:
    assert amended(before, given) == after


BAD: list[Any] = [0, -1, 1.0, 2.5, "30", "", True, False, [3], {}, 10**30]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", LARGEST)
def test_a_value_that_cannot_be_is_refused_with_a_reason(name: str, value: Any) -> None:
    reason = amended(ALL, {name: value})
    assert isinstance(reason, str)
    assert reason.startswith(f"{name} must be a whole number from 1 to ")
    assert reason.endswith(f"or null, not {value!r}")
    assert isinstance(amended(ALL, {name: LARGEST[name] + 1}), str)


@pytest.mark.parametrize(
    ("before", "given", "reason"),
    [
        (None, {}, "nothing is given: name one of quiet, quiet_most, minutes, bytes"),
        (ALL, {"days": 3}, "there is no policy 'days', only quiet, quiet_most, minutes, bytes"),
        (None, {"quiet_most": 60}, "quiet_most is the bound of quiet: set quiet as well"),
        (BOUNDED, {"quiet_most": 60, "quiet": None}, "quiet_most is the bound of quiet"),
        (BOUNDED, {"quiet_most": 29}, "quiet_most must not be below quiet, and 29 is below 30"),
        (BOUNDED, {"quiet": 121}, "quiet_most must not be below quiet, and 120 is below 121"),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    before: Policy | None, given: dict[str, object], reason: str
) -> None:
    refused = amended(before, given)
    assert isinstance(refused, str)
    assert refused.startswith(reason)


def test_what_is_in_force_has_the_bound_filled_in() -> None:
    assert Policy().in_force == {}
    assert QUIET.in_force == {"quiet": 30, "quiet_most": 600}
    assert list(ALL.in_force) == ["quiet", "quiet_most", "minutes", "bytes"]
    assert ALL.bound == 60
    assert LARGE.bound is None


def test_settings_that_were_stored_before_there_were_policies_are_read_and_kept_as_they_were() -> (
    None
):
    old = {"first": 8, "running": True, "count": None}
    setting = msgspec.convert(old, Setting)
    assert setting == Setting(8, running=True, count=None)
    assert msgspec.to_builtins(setting) == old
    new = {**old, "policy": {"quiet": 30}}
    assert msgspec.to_builtins(msgspec.convert(new, Setting)) == new
