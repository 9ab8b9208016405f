"""Stop the executor before or after any step; whoever comes next makes it good (law 8)."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.tail import Bounds
from tests.crashes.workload import (
    ENTRIES,
    MACHINE,
    OUTCOMES,
    ROOMY,
    TIGHT,
    Fleet,
    Queue,
    Stores,
    act,
    assert_done,
    assert_sound,
    entries,
    outcomes,
)
from tests.faults import MOMENTS, Faults, Moment, fail, kill
from tests.points import at_each

SIZES = (1, 2)
BOUNDS = {"roomy": ROOMY, "tight": TIGHT}


def rehearse(size: int, bounds: Bounds) -> list[str]:
    """The steps that a fleet of that size takes when nothing fails."""
    faults = Faults()
    queue, fleet = Queue.of(), Fleet(Stores(bounds=bounds), faults, size)
    queue.drain(fleet.fold)
    return faults.steps


STEPS = {(size, name): rehearse(size, BOUNDS[name]) for size in SIZES for name in BOUNDS}
CASES = [
    pytest.param(
        size, BOUNDS[kind], position, moment, id=f"{size}-{kind}-{position}-{name}-{moment}"
    )
    for (size, kind), steps in STEPS.items()
    for position, name in enumerate(steps)
    for moment in MOMENTS
]


def test_the_rehearsal_takes_every_kind_of_step_and_loses_races_when_two_take_turns() -> None:
    writes = {"log.append", "table.write", "table.write.row", "machines.raise_watermark"}
    reads = {"log.head", "log.read", "log.read.next", "table.get", "table.scan", "machines.get"}
    for steps in STEPS.values():
        assert writes | reads | {"machines.register"} <= set(steps)
    for size in SIZES:
        tight, roomy = STEPS[size, "tight"], STEPS[size, "roomy"]
        assert tight.count("table.write") > roomy.count("table.write"), "flushes in chunks"
    stores = Stores()
    queue, fleet = Queue.of(), Fleet(stores, Faults(), 2)
    queue.drain(fleet.fold)
    assert STEPS[2, "roomy"].count("log.append") > len(stores.blocks())


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("size", SIZES)
def test_without_faults_the_state_is_the_one_worked_out_by_hand(size: int, bounds: Bounds) -> None:
    stores = Stores(bounds=bounds)
    queue, fleet = Queue.of(), Fleet(stores, Faults(), size)
    queue.drain(fleet.fold)
    assert_done(stores, queue)
    assert outcomes(stores) == OUTCOMES
    assert entries(stores) == ENTRIES


@at_each(("size", "bounds", "position", "moment"), CASES)
def test_killed_anywhere(size: int, bounds: Bounds, position: int, moment: Moment) -> None:
    stores, queue = Stores(bounds=bounds), Queue.of()
    fleet = Fleet(stores, Faults({position}, moment, kill), size)
    queue.drain(fleet.fold)
    assert fleet.deaths == 1
    assert_done(stores, queue)
    assert outcomes(stores) == OUTCOMES
    assert entries(stores) == ENTRIES


@at_each(("size", "bounds", "position", "moment"), CASES)
def test_a_service_fails_anywhere_and_the_process_lives_on(
    size: int, bounds: Bounds, position: int, moment: Moment
) -> None:
    """Nothing is sent afterwards: the queue brings the last message until the table is current."""
    stores, queue = Stores(bounds=bounds), Queue.of()
    queue.drain(Fleet(stores, Faults({position}, moment, fail), size).fold)
    assert_done(stores, queue)
    assert outcomes(stores) == OUTCOMES
    assert entries(stores) == ENTRIES


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("batches", [1, 2, 100])
@pytest.mark.parametrize("position", range(len(STEPS[1, "roomy"])))
def test_suspended_anywhere_while_another_works_on(
    position: int, batches: int, moment: Moment
) -> None:
    """The visibility timeout ran out: another executor gets the messages, then the first wakes."""
    stores, queue = Stores(), Queue.of()
    other = Fleet(stores, Faults())

    def meanwhile() -> None:
        for _ in range(batches):
            if batch := queue.batch():
                folded = other.fold(batch)
                assert folded is not None
                queue.acknowledge(folded)

    zombie = Fleet(stores, Faults({position}, moment, meanwhile))
    queue.drain(zombie.fold)
    assert other.turn
    queue.send(act("add", name="last", amount=1))
    queue.drain(zombie.fold)
    assert_done(stores, queue)
    assert outcomes(stores) == [*OUTCOMES, ("add", "applied", None)]
    assert entries(stores) == ENTRIES | {"last": b"1"}


@given(
    at=st.sets(st.integers(0, 2 * len(STEPS[2, "tight"])), min_size=2, max_size=12),
    moment=st.sampled_from(MOMENTS),
    size=st.integers(1, 3),
    strikes=st.lists(st.sampled_from((kill, fail)), min_size=1, max_size=12),
    bounds=st.sampled_from((ROOMY, TIGHT)),
)
def test_one_trouble_after_another(
    at: set[int], moment: Moment, size: int, strikes: list[object], bounds: Bounds
) -> None:
    stores, queue, turns = Stores(bounds=bounds), Queue.of(), cycle(strikes)

    def strike() -> None:
        (kill if next(turns) is kill else fail)()

    queue.drain(Fleet(stores, Faults(at, moment, strike), size).fold)
    assert_done(stores, queue)
    assert outcomes(stores) == OUTCOMES
    assert entries(stores) == ENTRIES


def test_redelivery_after_everything_was_acknowledged_changes_nothing() -> None:
    stores, queue = Stores(), Queue.of()
    queue.drain(Fleet(stores, Faults()).fold)
    blocks, rows = stores.blocks(), stores.rows()
    queue.acknowledged.clear()
    fleet = Fleet(stores, Faults())
    queue.drain(fleet.fold)
    assert [block.hash for block in stores.blocks()] == [block.hash for block in blocks]
    assert stores.rows() == rows
    assert "log.append" not in fleet.faults.steps


def test_a_lost_tail_of_the_log_is_refused_not_papered_over() -> None:
    """A state table that is ahead of the log means that blocks were lost."""
    stores, queue = Stores(), Queue.of()
    queue.drain(Fleet(stores, Faults()).fold)
    shorter = Stores(table=stores.table, machines=stores.machines)
    for block in stores.blocks()[:-1]:
        shorter.log.append(block)
    queue.send(act("add", name="a", amount=1))
    folded = shorter.executor(Faults()).fold(MACHINE, queue.batch(), deadline=1.0)
    assert folded.done == set()
    assert "`blockfold rebuild`" in str(folded.error)
    assert len(shorter.blocks()) == len(stores.blocks()) - 1
    assert_sound(stores)
