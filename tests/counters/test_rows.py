"""Rows of counters come back with a rebuild, go with a deletion, and are checked."""

from __future__ import annotations

from typing import cast

import pytest

from blockfold import Message
from blockfold.adapters.memory import MemoryStateTable
from blockfold.application.counters import partition_of
from blockfold.application.drill import scratch_of
from blockfold.application.lost import REBUILDING
from blockfold.ports import Row, Write
from tests.counters.world import Queue, assert_counted, assert_exactly_once, by, executor
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.points import at_each
from tests.properties.histories import MACHINE
from tests.rebuild.world import World

PARTITION = partition_of(MACHINE)


def grown() -> tuple[World, Queue, list[Message]]:
    """Three blocks with messages of two producers; one of them has a gap; all archived."""
    world, queue = World(), Queue()
    worker = executor(world)
    sent = [queue.send("p"), queue.send("q"), queue.send()]
    queue.drain(by(worker))
    sent.append(queue.send("p"))
    queue.lose()
    sent.append(queue.send("p"))
    queue.drain(by(worker))
    queue.send()
    queue.drain(by(worker))
    world.keep()
    return world, queue, sent


def rows(world: World, partition: str = PARTITION) -> list[Row]:
    return list(world.table.scan(partition))


def row(world: World, producer: str) -> Row:
    return world.table.get(PARTITION, [producer])[producer]


def damage(world: World, **changed: Row | None) -> None:
    """Put rows there by hand, or take them away."""
    stored = cast("MemoryStateTable", world.table)._rows[PARTITION]
    for producer, each in changed.items():
        if each is None:
            del stored[producer]
        else:
            stored[producer] = each


def test_no_machine_and_no_drill_has_the_partition() -> None:
    names = ["m", "drill", "producer", "counters", "drill m", "producers"]
    partitions = {partition_of(name) for name in names} | {partition_of(scratch_of("m"))}
    assert len(partitions) == len(names)
    assert not partitions & {scratch_of(name) for name in names}
    assert all(" " in each for each in partitions), "no queue takes such a group id"
    assert partition_of(scratch_of("m")).startswith("drill "), "what a drill may touch"


def test_lost_rows_come_back_as_they_were_and_go_on() -> None:
    world, queue, sent = grown()
    before = rows(world)
    assert before == [
        Row("p", b'{"last":3,"missing":[[2,2]]}', 2),
        Row("q", b'{"last":1}', 1),
    ]
    world.lose()
    rebuilt = world.rebuild()
    assert rows(world) == before
    assert rebuilt.rows == len(before) + len(list(world.table.scan(MACHINE)))
    for each in sent:
        if each.producer:
            queue.repeat(each)
    queue.drain(by(executor(world)))
    queue.lost.clear()  # its repeat was executed
    assert_exactly_once(world, queue)


def test_a_rebuild_of_what_is_whole_writes_nothing() -> None:
    world, _, _ = grown()
    before = rows(world)
    assert world.rebuild().rows == 0
    assert rows(world) == before


def test_rows_of_blocks_that_are_lost_go() -> None:
    world, queue, _ = grown()
    queue.send("p")
    queue.send("new")
    queue.drain(by(executor(world)))
    above = rows(world)
    lost, world.log = world.log, World().log
    rebuilt = world.rebuild()
    assert rebuilt.number == 3
    assert rebuilt.erased >= len(above) == 3
    assert row(world, "p") == Row("p", b'{"last":3,"missing":[[2,2]]}', 2)
    assert [each.key for each in rows(world)] == ["p", "q"]
    assert lost.head(MACHINE) is not None
    assert_counted(world)
    queue.send("p")
    folded = queue.deliver(by(executor(world)), 10)
    assert [str(gap) for gap in folded.gaps] == ["p/4 to 4"], "what was lost with its block"


def test_rows_that_are_too_old_are_brought_up() -> None:
    world, _, _ = grown()
    damage(world, p=Row("p", b'{"last":1}', 1), q=None)
    rebuilt = world.rebuild()
    assert (rebuilt.rows, rebuilt.erased) == (2, 0)
    assert_counted(world)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"p": None}, "the counter of producer 'p' of block 2 is missing in the state table"),
        (
            {"p": Row("p", b'{"last":3}', 2)},
            "the counter of producer 'p' is {\"last\":3}, the log up to block 2 makes it {",
        ),
        ({"p": Row("p", None, 2)}, "the counter of producer 'p' is deleted, the log up to block"),
        (
            {"p": Row("p", b'{"last":1}', 1)},
            "the counter of producer 'p' comes from block 1, last counted by block 2",
        ),
        (
            {"q": Row("q", b'{"last":2}', 2)},
            "the counter of producer 'q' comes from block 2, which has nothing of that producer",
        ),
        (
            {"x": Row("x", b'{"last":1}', 3)},
            "the counter of producer 'x' comes from block 3, which has nothing of that producer",
        ),
    ],
    ids=["missing", "another value", "a tombstone", "too old", "of another block", "of nobody"],
)
def test_verify_names_a_wrong_row(changed: dict[str, Row | None], found: str) -> None:
    world, _, _ = grown()
    assert world.verify().ok
    damage(world, **changed)
    (finding,) = world.verify().findings
    assert finding.startswith(found)
    world.rebuild()
    assert world.verify().ok


def test_verify_takes_rows_that_are_newer_or_not_flushed_yet() -> None:
    world, queue, _ = grown()
    machines = world.machines
    before = machines.get(MACHINE)
    assert before is not None
    queue.send("p")
    queue.send("late")
    queue.drain(by(executor(world)))
    machines.put(before)  # as if its reader had come just before the flush
    assert world.verify().ok, "newer"
    damage(world, late=None, p=Row("p", b'{"last":3,"missing":[[2,2]]}', 2))
    assert world.verify().ok, "not flushed yet"


def test_a_deletion_takes_them_too() -> None:
    world, _, _ = grown()
    world.table.write(partition_of(scratch_of(MACHINE)), [Write("p", b"1", 1)])
    plan = world.deleter().plan(MACHINE)
    assert plan.rows == len(rows(world)) + len(list(world.table.scan(MACHINE)))
    assert world.delete().rows == plan.rows
    assert rows(world) == rows(world, partition_of(scratch_of(MACHINE))) == []


def test_a_drill_rebuilds_and_checks_them_and_leaves_nothing() -> None:
    world, _, _ = grown()
    scratch = partition_of(scratch_of(MACHINE))
    world.table.write(scratch, [Write("left", b"1", 10**6)])
    drilled = world.drill().run(MACHINE)
    assert drilled.ok, drilled.findings
    assert drilled.rows == len(rows(world)) + len(list(world.table.scan(MACHINE)))
    assert rows(world, scratch) == []
    assert rows(world) != []


class Losing(MemoryStateTable):
    """Keeps no counters of a drill, and says that it does."""

    def write(self, machine: str, writes: object) -> None:
        if machine != partition_of(scratch_of(MACHINE)):
            super().write(machine, cast("list[Write]", writes))


def test_a_drill_finds_counters_that_come_back_otherwise() -> None:
    world, _, _ = grown()
    world.table = Losing()
    world.rebuild()
    drilled = world.drill().run(MACHINE)
    assert drilled.findings == ("0 counters of producers were read back otherwise than written",)


def rehearse() -> list[str]:
    world, _, _ = grown()
    world.lose()
    faults = Faults()
    rebuilder = world.rebuilder(faults)
    rebuilder.carry_out(rebuilder.plan(MACHINE))
    return faults.steps


CASES = [
    pytest.param(position, moment, id=f"{position}-{name}-{moment}")
    for position, name in enumerate(rehearse())
    if name.startswith(("table", "machines", "eraser"))
    for moment in MOMENTS
]


@at_each(("position", "moment"), CASES)
def test_a_rebuild_killed_anywhere_and_run_again(position: int, moment: Moment) -> None:
    world, _, _ = grown()
    before = rows(world)
    world.lose()
    faults = Faults([position], moment)
    rebuilder = world.rebuilder(faults)
    with pytest.raises(Killed):
        rebuilder.carry_out(rebuilder.plan(MACHINE))
    record = world.machines.get(MACHINE)
    if record is not None and record.flushed == REBUILDING:
        assert by_error(world)
    world.rebuild()
    assert rows(world) == before
    assert_counted(world)


def by_error(world: World) -> str:
    """Why an executor refuses to begin."""
    folded = executor(world).fold(MACHINE, [Queue().send("p")], deadline=1e12)
    return str(folded.error or "")
