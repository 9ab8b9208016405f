"""Each message of an idempotent producer is executed once, whatever is repeated, lost or killed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Limits, Message
from blockfold.application import counters as module
from blockfold.application.counters import partition_of
from blockfold.application.execute import Executor
from blockfold.application.restore import Target
from blockfold.domain.canonical import decode
from tests.counters.world import Queue, assert_counted, assert_exactly_once, by, executor, lag
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.machines_for_tests import Cells
from tests.points import at_each
from tests.properties.histories import MACHINE, NEVER, Ports, StepClock, fold_all
from tests.properties.turns import Turns
from tests.rebuild.world import World

PRODUCERS = ("", "p", "q")


def stored(world: World, machine: str = MACHINE) -> dict[str, object]:
    rows = world.table.scan(partition_of(machine))
    return {row.key: (decode(row.value or b"0"), row.block) for row in rows}


def test_a_repeat_long_after_is_acknowledged_and_not_executed() -> None:
    world, queue = World(), Queue()
    first = queue.send("p")
    queue.drain(by(executor(world)))
    queue.repeat(first)
    folded = queue.deliver(by(executor(world)), 10)
    assert (folded.again, folded.blocks, folded.repeated) == ([], [], 1)
    assert stored(world) == {"p": ({"last": 1}, 1)}
    assert_exactly_once(world, queue)


def test_a_repeat_beside_its_original_is_executed_once() -> None:
    world, queue = World(), Queue()
    queue.repeat(queue.send("p", 3))
    queue.send("p")
    folded = queue.deliver(by(executor(world, actions=2)), 10)
    assert folded.again == []
    assert (folded.repeated, len(folded.blocks)) == (1, 2)
    assert_exactly_once(world, queue)


def test_a_message_that_died_is_a_gap_and_executed_when_it_comes_again() -> None:
    world, queue = World(), Queue()
    queue.send("p")
    queue.drain(by(executor(world)))
    for _ in range(3):
        queue.send("p")
    queue.lose()
    queue.lose()
    folded = queue.deliver(by(executor(world)), 10)
    assert [str(gap) for gap in folded.gaps] == ["p/2 to 3"]
    assert stored(world) == {"p": ({"last": 4, "missing": [[2, 3]]}, 2)}
    queue.redrive()
    folded = queue.deliver(by(executor(world)), 10)
    assert (folded.gaps, folded.repeated) == ([], 0)
    assert stored(world) == {"p": ({"last": 4}, 3)}
    assert_exactly_once(world, queue)


def test_a_machine_without_producers_costs_no_read_and_no_row() -> None:
    world, queue, faults = World(), Queue(), Faults()
    queue.send()
    queue.drain(by(executor(world, faults)))
    assert stored(world) == {}
    assert faults.steps.count("table.get") == 1, "the rows for the reducer"
    assert faults.steps.count("table.write") == 1


def test_a_warm_executor_reads_a_counter_once() -> None:
    world, queue, faults = World(), Queue(), Faults()
    warm = executor(world, faults)
    queue.send("p")
    queue.drain(by(warm))
    reads = faults.steps.count("table.get")
    for _ in range(3):
        queue.send("p")
        queue.drain(by(warm))
    assert faults.steps.count("table.get") == reads + 3, "each reads the key that it sets"
    assert_exactly_once(world, queue)


def test_a_restore_takes_no_counter_back_and_a_fork_starts_without() -> None:
    world, queue = World(), Queue()
    first = queue.send("p")
    queue.drain(by(executor(world)))
    queue.send("p")
    queue.drain(by(executor(world)))
    world.restore(1)
    queue.repeat(first)
    queue.drain(by(executor(world)))
    assert world.head() == 3, "two blocks and the restore"
    assert stored(world) == {"p": ({"last": 2}, 2)}
    assert_exactly_once(world, queue)
    world.restore(1, fork="other")
    assert stored(world, "other") == {}
    by(executor(world), "other")([first])
    assert stored(world, "other") == {"p": ({"last": 1}, 2)}
    assert_counted(world, "other")


def test_counters_are_stored_before_a_restore_that_comes_behind_an_unfinished_flush() -> None:
    world, queue = World(), Queue()
    queue.send("p")
    queue.drain(by(executor(world)))
    lagging = queue.send("p")
    lag(world, lagging)
    assert stored(world) == {"p": ({"last": 1}, 1)}
    world.restore(1)
    assert stored(world) == {"p": ({"last": 2}, 2)}
    queue.repeat(lagging)
    queue.drain(by(executor(world)))
    assert_exactly_once(world, queue)


def test_a_tail_longer_than_the_bounds_brings_its_counters() -> None:
    world, queue = World(), Queue()
    for _ in range(4):
        lag(world, queue.send("p"))
    executed, queue.waiting = queue.waiting, []
    for each in executed:
        queue.repeat(each)
    queue.drain(by(executor(world, tail=1)))
    assert stored(world) == {"p": ({"last": 4}, 4)}
    assert_exactly_once(world, queue)


def test_a_counter_is_stored_when_flushed_rises_over_the_first_block_that_it_counts() -> None:
    world, queue = World(), Queue()
    for producer in ("p", "", "p"):
        lag(world, queue.send(producer))
    queue.repeat(queue.waiting[0])
    faults = Faults([_flushed_once(world)], "after")
    with pytest.raises(Killed):
        queue.deliver(by(executor(world, faults)), 10)
    record = world.machines.get(MACHINE)
    assert record is not None
    assert record.flushed == 1, "of three"
    queue.drain(by(executor(world)))
    assert_exactly_once(world, queue)


def test_more_counters_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    world, queue = World(), Queue()
    warm = executor(world)
    for _ in range(2):
        sent = [queue.send(f"p{number}") for number in range(6)]
        queue.drain(by(warm))
    for each in sent:
        queue.repeat(each)
    queue.drain(by(warm))
    assert_exactly_once(world, queue)


def _flushed_once(world: World) -> int:
    """The step that first raises ``flushed``, of an executor that finds this world."""
    faults = Faults()
    by(executor(World(world.log), faults))([])
    return faults.steps.index("machines.raise_watermark")


# -- any history -------------------------------------------------------------------------------

MOVES = ("send", "send", "send", "repeat", "deliver", "deliver", "lose", "redrive", "restore")


@given(st.data())
def test_exactly_once_in_any_history(data: st.DataObject) -> None:
    world, queue = World(), Queue()
    actions = data.draw(st.sampled_from((1, 2, 10_000)))
    tail = data.draw(st.sampled_from((0, 2, 20_000)))
    workers = [executor(world, actions=actions, tail=tail) for _ in range(2)]
    sent: list[Message] = []
    for move in data.draw(st.lists(st.sampled_from(MOVES), min_size=4, max_size=25)):
        if move == "send":
            producer = data.draw(st.sampled_from(PRODUCERS))
            made = queue.send(producer, data.draw(st.integers(1, 3)))
            sent += [made] if producer else []
        elif move == "repeat" and sent:
            queue.repeat(data.draw(st.sampled_from(sent)))
        elif move == "lose" and queue.waiting and not _begun(world, queue.waiting[0]):
            queue.lose()
        elif move == "redrive":
            queue.redrive()
        elif move == "restore" and world.head() > 1:
            world.restore(data.draw(st.integers(1, world.head())))
        elif move == "deliver":
            _deliver(data, world, queue, workers, actions, tail)
    queue.redrive()
    queue.send()
    queue.drain(by(executor(world, actions=actions)))
    assert_exactly_once(world, queue)


def _begun(world: World, message: Message) -> bool:
    """Whether a message stands in blocks in part: what is left of it must not be lost."""
    records = (record for block in world.blocks() for record in block.body.messages)
    return any(record.id == message.id for record in records)


def _deliver(
    data: st.DataObject,
    world: World,
    queue: Queue,
    workers: list[Executor],
    actions: int,
    tail: int,
) -> None:
    """To somebody who may know little or nothing of the machine, and may die of it."""
    worker = data.draw(st.sampled_from(("warm", "warm", "other", "cold", "killed")))
    most = data.draw(st.integers(1, 10))
    if worker == "killed":
        at = data.draw(st.integers(0, 30))
        faults = Faults([at], data.draw(st.sampled_from(MOMENTS)))
        with suppress(Killed):
            queue.deliver(by(executor(world, faults, actions=actions, tail=tail)), most)
        return
    if worker == "cold":
        workers[0] = executor(world, actions=actions, tail=tail)
    chosen = workers[worker == "other"]
    queue.deliver(by(chosen), most, heard=data.draw(st.booleans()))


choices = st.lists(st.integers(0, 1), max_size=40)


@given(choices, st.lists(st.sampled_from(PRODUCERS), min_size=1, max_size=4), st.integers(1, 3))
def test_two_executors_that_race_execute_a_message_and_its_copy_once(
    choices: list[int], producers: list[str], actions: int
) -> None:
    ports, queue, turns = Ports(), Queue(), Turns(choices)
    messages = [queue.send(producer, 2) for producer in producers]
    copies = [queue.repeat(each) for each in messages if each.producer]

    def racing(player: int) -> Executor:
        return Executor(
            machine=Cells(),
            log=turns.shared(ports.log, player),
            table=turns.shared(ports.table, player),
            machines=turns.shared(ports.machines, player),
            snapshots=ports.snapshots,
            clock=StepClock(),
            limits=Limits(actions=actions),
        )

    turns.play(
        [
            lambda: fold_all(racing(0), [*messages, *copies]) and None,
            lambda: fold_all(racing(1), [*messages[:1], *messages, *copies]) and None,
        ]
    )
    world = World(log=ports.log, table=ports.table, machines=ports.machines)
    assert_exactly_once(world, queue)


# -- killed anywhere ---------------------------------------------------------------------------


def work(faults: Faults) -> tuple[World, Queue]:
    """Two producers and a raw sender, a split message, a copy, a gap, a restore."""
    world, queue = World(), Queue()
    worker = executor(world, faults, actions=2)
    first = queue.send("p", 3)
    queue.send()
    queue.repeat(first)
    with suppress(Killed):
        queue.deliver(by(worker), 10)
        queue.send("q")
        queue.deliver(by(worker), 10)
        world.restorer(faults).carry_out(Target(MACHINE, block=1), deadline=NEVER)
        queue.repeat(first)
        queue.send("q")
        queue.deliver(by(worker), 10)
    return world, queue


STEPS = work(rehearsal := Faults()) and rehearsal.steps
CASES = [
    pytest.param(position, moment, id=f"{position}-{name}-{moment}")
    for position, name in enumerate(STEPS)
    for moment in MOMENTS
]


@at_each(("position", "moment"), CASES)
def test_killed_anywhere(position: int, moment: Moment) -> None:
    faults = Faults([position], moment)
    world, queue = work(faults)
    assert faults.dead
    queue.send()
    queue.drain(by(executor(world)))
    assert_exactly_once(world, queue)
