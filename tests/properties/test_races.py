"""Two executors on one log, interleaved at every call to a store: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blockfold import Head, Limits, Message
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.execute import Executor, Folded
from blockfold.domain.replay import chained
from tests.machines_for_tests import Cells, Journal, model_run
from tests.properties.histories import MACHINE, NEVER, Ports, StepClock, fold_all, recorded
from tests.properties.turns import Turns
from tests.strategies import notes_as_messages, runs, runs_as_messages

choices = st.lists(st.integers(0, 1), max_size=40)


def racing(
    turns: Turns, ports: Ports, machine: Any, player: int, limits: Limits | None = None
) -> Executor:
    return Executor(
        snapshots=ObjectSnapshots(MemoryObjectStore()),
        machine=machine,
        log=turns.shared(ports.log, player),
        table=turns.shared(ports.table, player),
        machines=turns.shared(ports.machines, player),
        clock=StepClock(),
        limits=limits or Limits(),
    )


def both(
    turns: Turns, executors: Sequence[Executor], batches: Sequence[Sequence[Sequence[Message]]]
) -> None:
    """Each executor folds its own batches while the other does the same."""

    def player(executor: Executor, own: Sequence[Sequence[Message]]) -> Callable[[], None]:
        def play() -> None:
            for batch in own:
                fold_all(executor, batch)

        return play

    turns.play([player(*each) for each in zip(executors, batches, strict=True)])


@given(choices, st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 5))
def test_two_deliveries_of_the_same_messages_are_done_once(
    choices: list[int], lengths: list[int], actions: int
) -> None:
    messages = notes_as_messages(lengths)
    ports = Ports()
    turns = Turns(choices)
    limits = Limits(actions=actions)
    executors = [racing(turns, ports, Journal(), player, limits) for player in range(2)]
    both(turns, executors, [[messages], [messages[:2], messages]])
    assert [each[0] for each in dict.fromkeys(recorded(ports.blocks()))] == [
        each.id for each, length in zip(messages, lengths, strict=True) for _ in range(length)
    ]
    assert len(list(recorded(ports.blocks()))) == sum(lengths)
    assert list(chained(Head(machine=MACHINE), ports.blocks())) == ports.blocks()
    assert ports.stored()["count"] == sum(lengths)
    assert len(ports.stored()) == sum(lengths) + 1


@given(choices, st.lists(runs, min_size=1, max_size=4), st.lists(runs, min_size=1, max_size=4))
def test_two_queues_of_one_machine_end_in_the_state_of_the_log(
    choices: list[int], one: list[dict[str, Any]], two: list[dict[str, Any]]
) -> None:
    shared = {"do": "push", "key": "a", "value": 1}
    one, two = ([{**args, "steps": [*args["steps"], shared]} for args in own] for own in (one, two))
    ports = Ports()
    turns = Turns(choices)
    executors = [racing(turns, ports, Cells(), player) for player in range(2)]
    mine = runs_as_messages([[args] for args in one])
    theirs = [
        Message(f"other-{each.id}", each.body, "other", each.sequence, each.sent)
        for each in runs_as_messages([[args] for args in two])
    ]
    both(turns, executors, [[[each] for each in mine], [[each] for each in theirs]])
    order = [each for each, _ in recorded(ports.blocks())]
    assert [each for each in order if each.startswith("other")] == [each.id for each in theirs]
    assert [each for each in order if not each.startswith("other")] == [each.id for each in mine]
    arguments = {
        each.id: args
        for each, args in [*zip(mine, one, strict=True), *zip(theirs, two, strict=True)]
    }
    entries: dict[str, Any] = {}
    for each in order:
        entries = model_run(entries, arguments[each])
    assert ports.stored() == entries


def test_races_do_happen_here_and_the_loser_goes_on_from_the_winners_block() -> None:
    messages = notes_as_messages([1, 1, 1])
    ports = Ports()
    turns = Turns([0, 1] * 40)
    results: list[Folded] = []
    executors = [racing(turns, ports, Journal(), player) for player in range(2)]
    turns.play(
        [
            lambda: results.extend(fold_all(executors[0], messages[:1])),
            lambda: results.extend(fold_all(executors[1], messages)),
        ]
    )
    assert sum(folded.conflicts for folded in results) == 1
    assert [block.number for folded in results for block in folded.blocks] == [1, 2]
    assert [each for each, _ in recorded(ports.blocks())] == [each.id for each in messages]
    again = ports.executor(Journal()).fold(MACHINE, messages, deadline=NEVER)
    assert again.blocks == []
    assert again.repeated == len(messages)
