"""Bills: by hand, and as they must change when a figure does."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blockfold.application.cost import Bill, Shape, estimate
from blockfold.application.cost.workload import SECONDS
from blockfold.domain.errors import Misconfigured
from tests.cost.figures import COUNTS, workload


def units(bill: Bill, service: str, what: str, unit: str = "") -> float:
    found = [
        line.units
        for line in bill.lines
        if (line.service, line.what) == (service, what) and unit in line.unit
    ]
    return found[0] if found else 0.0


def test_a_million_actions_by_hand() -> None:
    """A thousand times the sample: 100,000 messages, invocations and blocks."""
    bill = estimate(workload(reads=1e6))
    assert units(bill, "SQS", "send") == 1e5
    assert bill.of("SQS", "send") + bill.of("SQS", "receive") + bill.of("SQS", "delete") == (
        pytest.approx(0.15)
    )
    assert units(bill, "DynamoDB", "log: writes") == 1e5
    assert bill.of("DynamoDB", "log: writes") == pytest.approx(0.0625)
    assert bill.of("DynamoDB", "state: writes") == pytest.approx(0.5)
    assert bill.of("DynamoDB", "register: writes") == pytest.approx(0.0625)
    assert bill.of("DynamoDB", "exact reads") == pytest.approx(3 * 0.125)
    assert bill.of("EventBridge") == pytest.approx(0.1)
    assert bill.of("Lambda", "executor: requests") == pytest.approx(0.02)
    # 1,000 snapshots; the sample's two had 50 blocks each to read, these have 100.
    assert units(bill, "S3", "snapshots and compaction", "PUT") == pytest.approx(5_000)
    assert units(bill, "S3", "snapshots and compaction", "GET") == pytest.approx(20_000)
    assert units(bill, "DynamoDB", "snapshots: reads") == pytest.approx(60_000)
    assert units(bill, "DynamoDB", "snapshots: writes") == pytest.approx(2_000)
    # 100,000 blocks by chance over a month's 262,800 windows of ten seconds.
    segments = 262_800 * (1 - exp(-100_000 / 262_800))
    assert units(bill, "S3", "archive: segments") == pytest.approx(segments)
    # 100 MB of blocks and 100 bytes for each item.
    gigabytes = (1e8 + 1e7) / 1024**3
    assert units(bill, "DynamoDB", "log: stored, with recovery") == pytest.approx(gigabytes)


def test_what_a_stack_costs_at_rest() -> None:
    bill = estimate(workload(1))
    fixed = sum(line.dollars for line in bill.lines if line.fixed)
    assert fixed == pytest.approx(0.3285 + 0.2628 + 0.70, abs=0.02), "docs/deploy.md says so"
    assert bill.dollars == pytest.approx(fixed, abs=0.02)


def test_a_thousand_machines_by_hand() -> None:
    """Blocks come so far apart that each is a segment by itself, and sweeps meet every machine."""
    bill = estimate(workload(machines=1_000))
    assert units(bill, "S3", "archive: segments") == pytest.approx(1e5, rel=1e-3)
    assert units(bill, "DynamoDB", "hourly sweep: reads") == pytest.approx(1_000 * 4 * 730)
    assert units(bill, "S3", "daily prune", "LIST") == pytest.approx(1_000 * 7 * 30.4)
    assert units(bill, "DynamoDB", "announcer: reads") == pytest.approx(1e5, rel=1e-3)


def test_dollars_are_the_sum_of_the_lines() -> None:
    bill = estimate(workload())
    assert sum(bill.services.values()) == pytest.approx(bill.dollars)
    assert sum(bill.of(service) for service in bill.services) == pytest.approx(bill.dollars)
    assert bill.per_million == bill.dollars
    assert all(line.units > 0 for line in bill.lines)


ACTIONS = st.floats(1e3, 1e9)
MACHINES = st.integers(1, 10_000)


@given(st.floats(1e3, 2e6), st.integers(1, 300), st.floats(1.0, 10.0))
def test_more_actions_cost_more_and_each_of_them_less(
    actions: float, machines: int, times: float
) -> None:
    few = estimate(workload(actions, machines=machines))
    many = estimate(workload(actions * times, machines=machines))
    assume(not any("gets through" in note for note in many.notes))
    assert many.dollars >= few.dollars * (1 - 1e-9)
    assert many.per_million <= few.per_million * (1 + 1e-9)


@given(st.floats(1e3, 1e7), st.integers(1, 100), st.integers(10, 2_000), st.integers(1, 300))
def test_what_can_only_save_does_not_cost_more(
    actions: float, machines: int, count: int, seconds: int
) -> None:
    bill = estimate(workload(actions, machines=machines, count=count, archive_seconds=seconds))
    assume(not any("gets through" in note for note in bill.notes))  # with less to do: of more
    for cheaper in (
        workload(actions, machines=machines, count=count, archive_seconds=2 * seconds),
        workload(actions, machines=machines, count=0, archive_seconds=seconds),
        workload(actions, machines=machines, count=count, archive_seconds=seconds, per_request=10),
        workload(actions, machines=machines, count=count, archive_seconds=seconds, months=0),
    ):
        assert estimate(cheaper).dollars <= bill.dollars * (1 + 1e-9)


@given(ACTIONS, st.floats(1, 24), st.floats(0, 400))
def test_letting_blocks_go_saves_what_they_would_have_cost(
    actions: float, months: float, days: float
) -> None:
    keeps = estimate(workload(actions, months=months))
    prunes = estimate(workload(actions, months=months, table_days=days))
    marks = prunes.of("DynamoDB", "letting blocks go")
    assert marks == pytest.approx(keeps.of("DynamoDB", "log: writes"))
    stored = keeps.of("DynamoDB", "log: stored") - prunes.of("DynamoDB", "log: stored")
    assert stored >= -1e-9
    assert prunes.dollars == pytest.approx(keeps.dollars + marks - stored)


@given(st.floats(1e3, 1e10), MACHINES, st.integers(1, 1_000), st.floats(1, 100))
def test_messages_gather_as_far_as_the_queue_lets_them(
    actions: float, machines: int, per_message: int, peak: float
) -> None:
    shape = Shape(actions=actions, machines=machines, per_message=per_message, peak=peak)
    assert 1 <= shape.batch <= 10
    assert 1 <= shape.environments <= machines
    assert shape.batch / shape.gap == pytest.approx(shape.rate)
    faster = replace(shape, peak=peak * 2)
    assert faster.batch >= shape.batch
    assert faster.busy * faster.rate == pytest.approx(
        SECONDS * actions / SECONDS / per_message / machines
    )


def test_sweeps_that_do_not_get_through_are_told_and_cost_no_more_than_their_time() -> None:
    few, many, more = (estimate(workload(machines=size)) for size in (1_000, 10**6, 10**7))
    assert not any("gets through" in note for note in few.notes)
    assert sum("gets through" in note for note in many.notes) == 2
    for what in ("hourly sweep", "daily prune"):
        assert many.of("Lambda", what) == pytest.approx(more.of("Lambda", what))
    hours = 730 * 14 / 60
    assert many.of("Lambda", "hourly sweep: time") == pytest.approx(
        hours * 3600 * 1769 / 1024 * 0.0000133334, rel=0.01
    )


def test_a_machine_that_cannot_keep_up_is_told_so() -> None:
    assert not any("pack more" in note for note in estimate(workload(1e8)).notes)
    assert any("pack more" in note for note in estimate(workload(1e10)).notes)


@pytest.mark.parametrize(
    "figures",
    [{"actions": 0}, {"actions": float("nan")}, {"machines": 0}, {"peak": 0.5}, {"count": -1},
     {"reads": -1}, {"per_request": 11}, {"months": -1}, {"archive_seconds": -1}],
)  # fmt: skip
def test_figures_that_cannot_be(figures: dict[str, float]) -> None:
    with pytest.raises(Misconfigured):
        workload(**figures)


def test_an_invocation_gets_ten_messages_at_most() -> None:
    with pytest.raises(Misconfigured, match="1 to 10 messages"):
        Shape(actions=1, per_invocation=11)


def test_large_bodies_are_paid_for_in_the_bucket() -> None:
    counts = replace(
        COUNTS, spilled=10, spilled_bytes=10_000_000, executor=replace(COUNTS.executor, puts=10)
    )
    bill = estimate(workload(counts=counts))
    assert bill.of("S3", "large bodies") == pytest.approx(10_000 * (5e-6 + 2 * 0.4e-6), abs=0.25)
    assert units(bill, "S3", "large bodies: stored") == pytest.approx(1e10 / 1024**3)
