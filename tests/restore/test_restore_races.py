"""A restore beside executors, readers and other restores: nothing is lost, done twice or mixed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Message
from blockfold.application import execute as module
from blockfold.application.catch_up import CatchUp
from blockfold.application.execute import Executor
from blockfold.application.read import Reader
from blockfold.application.restore import Target
from blockfold.domain.canonical import decode
from blockfold.domain.errors import Refused
from blockfold.ports import Write
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.machines_for_tests import model_run
from tests.properties.histories import MACHINE, NEVER, recorded
from tests.properties.turns import Turns
from tests.snapshots.stack import Stack, put, steps_of

TARGET = Target(MACHINE, block=3)


def grown() -> Stack:
    """Twelve blocks; the snapshot of the third is there, so that a restore's steps are few."""
    stack = Stack()
    stack.grow(12)
    stack.dumper().dump(MACHINE, 3)
    return stack


def rehearse() -> list[str]:
    faults, stack = Faults(), grown()
    stack.restorer(faults).carry_out(TARGET, deadline=NEVER)
    return faults.steps


STEPS = rehearse()
ROWS = [position for position, name in enumerate(STEPS) if name == "table.write.row"]
CASES = [(position, moment) for position in range(len(STEPS)) for moment in MOMENTS]
anywhere = pytest.mark.parametrize(("position", "moment"), CASES)


@pytest.fixture
def stack() -> Stack:
    return grown()


def fold(executor: Executor, *messages: Message) -> None:
    folded = executor.fold(MACHINE, messages, deadline=NEVER)
    assert folded.error is folded.flush_error is None
    assert folded.done == {message.id for message in messages}


def assert_exactly(stack: Stack, *messages: Message) -> None:
    """These messages stand in the log, in order, each once, and the state is what they give."""
    ids = [each for each, _ in recorded(stack.blocks())][12:]
    assert ids == [message.id for message in messages]
    entries: dict[str, Any] = {}
    for block in stack.blocks():
        if block.body.origin is not None:
            entries = stack.state_at(block.body.origin.number)
        for _, _, record in block.body.actions:
            entries = model_run(entries, decode(bytes(record.args)))  # type: ignore[arg-type]
    assert stack.stored() == entries
    stack.assert_whole()


# -- executors -------------------------------------------------------------------------------------


def test_the_rehearsal_writes_several_rows() -> None:
    assert len(ROWS) >= 4
    assert STEPS.count("log.append") == 1


@anywhere
def test_actions_at_any_moment_of_a_restore_stand_once_before_or_after_it(
    stack: Stack, position: int, moment: Moment
) -> None:
    """A warm executor with the head from before, and a cold one, take turns."""
    warm = stack.executor()
    sent = [stack.message(put("warm", 0))]
    fold(warm, sent[0])

    def meanwhile() -> None:
        for executor in (warm, stack.executor(), warm):
            sent.append(
                stack.message(
                    {"do": "push", "key": "order", "value": len(sent)},
                    {"do": "list", "key": "seen", "value": ""},
                )
            )
            fold(executor, sent[-2], sent[-1])

    stack.restorer(Faults({position}, moment, meanwhile)).carry_out(TARGET, deadline=NEVER)
    assert len(sent) == 4
    meanwhile()
    assert_exactly(stack, *sent)


@pytest.mark.parametrize("row", range(len(ROWS)))
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_executor_that_starts_while_the_table_is_half_way(
    stack: Stack, row: int, moment: Moment
) -> None:
    with pytest.raises(Killed):
        stack.restorer(Faults({ROWS[row]}, moment)).carry_out(TARGET, deadline=NEVER)
    sent = stack.message({"do": "list", "key": "seen", "value": ""}, put("count", -1))
    fold(stack.executor(), sent)
    assert stack.stored()["seen"] == sorted(stack.state_at(3))
    assert_exactly(stack, sent)


def test_a_warm_executor_sees_nothing_of_the_state_before(stack: Stack) -> None:
    """It knew keys that are gone, and did not know keys that are there."""
    warm = stack.executor()
    first = stack.message(put("gone", 1), {"do": "list", "key": "seen", "value": ""})
    fold(warm, first)
    stack.restorer().carry_out(TARGET, deadline=NEVER)
    second = stack.message(
        {"do": "push", "key": "gone", "value": 2},
        {"do": "push", "key": "count", "value": 3},
        {"do": "list", "key": "seen", "value": ""},
    )
    fold(warm, second)
    assert stack.stored()["gone"] == [2]
    assert_exactly(stack, first, second)


def test_another_restore_while_one_is_being_finished(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executor finishes the first; before it looks again, the second is in the log."""
    with pytest.raises(Killed):
        stack.restorer(Faults({ROWS[1]}, "after")).carry_out(TARGET, deadline=NEVER)
    others = 2

    class Interrupted(CatchUp):
        def run(self, machine: str, *, deadline: float) -> Any:
            nonlocal others
            done = super().run(machine, deadline=deadline)
            if others:
                others -= 1
                stack.clock.milliseconds += 1
                _append_only(stack, 6 + others)
            return done

    monkeypatch.setattr(module, "CatchUp", Interrupted)
    sent = stack.message({"do": "list", "key": "seen", "value": ""})
    fold(stack.executor(), sent)
    assert others == 0
    assert [block.body.origin is not None for block in stack.blocks()[12:]] == [True] * 3 + [False]
    assert stack.stored() == {**stack.state_at(6), "seen": sorted(stack.state_at(6))}
    assert_exactly(stack, sent)


def _append_only(stack: Stack, number: int) -> None:
    """A restore that dies right after its block."""
    stack.dumper().dump(MACHINE, number)

    class Dies:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.log, name)

        def append(self, block: Any) -> None:
            stack.log.append(block)
            raise Killed

    log: Any = Dies()
    restorer = replace(stack.restorer(), log=log)
    with pytest.raises(Killed):
        restorer.carry_out(Target(MACHINE, block=number), deadline=NEVER)


# -- zombies ---------------------------------------------------------------------------------------


def test_a_zombies_flush_from_before_the_restore_changes_nothing(stack: Stack) -> None:
    late: list[Write] = []
    for number in range(13, 17):
        changes = stack.run(*steps_of(number), put(f"only/{number}", number)).body.changes
        late += [Write(key, value, number) for key, value in changes.items()]
    stack.restore(3)
    before = list(stack.table.scan(MACHINE))
    for write in late:
        stack.table.write(MACHINE, [write])
    stack.table.write(MACHINE, [Write("only/13", b"1", 13, new=True)])
    assert list(stack.table.scan(MACHINE)) == before
    stack.assert_whole()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_executor_suspended_in_its_flush_wakes_after_a_restore(
    stack: Stack, moment: Moment
) -> None:
    """It had committed, then was held back at each of its rows in turn."""
    steps = [put(f"row/{number}", number) for number in range(5)]
    faults = Faults()
    fold(grown().executor(faults), stack.message(*steps))
    rows = [at for at, name in enumerate(faults.steps) if name == "table.write.row"]
    assert len(rows) == 5
    for position in rows:
        stack = grown()
        zombie = stack.executor(Faults({position}, moment, partial(_restore, stack, 3)))
        sent = [stack.message(*steps)]
        fold(zombie, sent[0])
        assert stack.stored() == stack.state_at(3)
        sent.append(stack.message({"do": "list", "key": "seen", "value": ""}))
        fold(zombie, sent[1])
        assert_exactly(stack, *sent)


def _restore(stack: Stack, number: int) -> None:
    stack.restore(number)


def test_a_restorer_suspended_in_its_table_wakes_after_later_blocks_and_restores(
    stack: Stack,
) -> None:
    def meanwhile() -> None:
        stack.run(put("later", 1))
        stack.restore(8)
        stack.run(put("key/0", "latest"))

    for position in ROWS:
        stack = grown()
        stack.restorer(Faults({position}, "before", meanwhile)).carry_out(TARGET, deadline=NEVER)
        assert stack.stored() == {**stack.state_at(8), "key/0": "latest"}
        stack.assert_whole()


# -- readers ---------------------------------------------------------------------------------------


@anywhere
def test_a_reader_is_exact_at_every_moment_of_a_restore(
    stack: Stack, position: int, moment: Moment
) -> None:
    seen: list[int] = []

    def look() -> None:
        reader = stack.reader()
        view = reader.state(MACHINE)
        assert view.number == stack.head()
        assert view.entries == reader.state_at(MACHINE, view.number).entries
        for key in ("count", "key/1", "nowhere"):
            one = reader.state(MACHINE, key=key).entries
            assert one == {k: v for k, v in view.entries.items() if k == key}
        some = reader.state(MACHINE, prefix="key/").entries
        assert some == {k: v for k, v in view.entries.items() if k.startswith("key/")}
        seen.append(view.number)

    stack.restorer(Faults({position}, moment, look)).carry_out(TARGET, deadline=NEVER)
    append = STEPS.index("log.append")
    appended = position > append or (position == append and moment == "after")
    assert seen == [13 if appended else 12]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(5))
def test_a_restore_at_any_moment_of_reading_gives_one_state_or_the_other(
    stack: Stack, position: int, moment: Moment
) -> None:
    old, new = stack.reader().state(MACHINE), stack.reader().state_at(MACHINE, 3)
    faults = Faults({position}, moment, lambda: _restore(stack, 3))
    through = stack.restorer(faults)
    reader = Reader(through.log, through.table, through.machines, through.snapshots)
    view = reader.state(MACHINE)
    assert len(faults.steps) > position
    assert view.entries == (old if view.number == 12 else new).entries
    assert view.digest == (old if view.number == 12 else new).digest


# -- restores --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 1), max_size=80), st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_of_two_restores_at_once_one_is_refused_or_comes_after_the_other(
    choices: list[int], numbers: tuple[int, int]
) -> None:
    stack = grown()
    turns = Turns(choices)
    done: dict[int, int] = {}
    refused: list[int] = []

    def restore(player: int) -> None:
        own = Stack(
            turns.shared(stack.log, player),
            turns.shared(stack.table, player),
            turns.shared(stack.machines, player),
            turns.shared(stack.objects, player),
            replace(stack.clock, milliseconds=stack.clock.milliseconds + player),
        )
        try:
            done[own.restore(numbers[player]).block.number] = numbers[player]
        except Refused:
            refused.append(player)

    turns.play([lambda: restore(0), lambda: restore(1)])
    assert len(done) + len(refused) == 2
    assert sorted(done) == [13, 14][: len(done)]
    assert stack.head() == 12 + len(done)
    origins = [block.body.origin for block in stack.blocks()[12:]]
    assert [each.number for each in origins if each] == [done[key] for key in sorted(done)]
    assert stack.stored() == stack.state_at(done[max(done)])
    stack.assert_whole()


def test_the_loser_of_a_race_is_told_who_won(stack: Stack) -> None:
    append = STEPS.index("log.append")
    faults = Faults({append}, "before", lambda: _restore(stack, 7))
    with pytest.raises(Refused, match=r"block 13 is another restore .*decide anew"):
        stack.restorer(faults).carry_out(TARGET, deadline=NEVER)
    assert stack.head() == 13
    assert stack.stored() == stack.state_at(7)


@given(choices=st.lists(st.integers(0, 2), max_size=120), number=st.integers(1, 12))
def test_two_executors_and_a_restorer_at_once(choices: list[int], number: int) -> None:
    """The same messages delivered to both executors, a restore somewhere among them."""
    stack = grown()
    messages = [
        stack.message(
            {"do": "push", "key": "order", "value": position},
            {"do": "list", "key": "seen", "value": ""},
        )
        for position in range(3)
    ]
    turns = Turns(choices)

    def through(player: int) -> Stack:
        return Stack(
            turns.shared(stack.log, player),
            turns.shared(stack.table, player),
            turns.shared(stack.machines, player),
            turns.shared(stack.objects, player),
            stack.clock,
        )

    def deliver(player: int) -> None:
        executor = through(player).executor()
        for each in messages:
            fold(executor, each)

    turns.play([lambda: deliver(0), lambda: deliver(1), lambda: _restore(through(2), number)])
    assert sum(block.body.origin is not None for block in stack.blocks()) == 1
    assert_exactly(stack, *messages)
