"""Which messages are confined, and what is durable before others are run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from blockfold import Action, Context, Machine, Message, State
from blockfold.domain.apply import Runner, Verdict, apply
from tests.confined.rogues import Rogue
from tests.faults import Faults, Killed, faulty
from tests.lambdas.conftest import load
from tests.lambdas.handlers import imported
from tests.machines_for_tests import Journal
from tests.properties.histories import MACHINE, NEVER, Ports
from tests.strategies import message

COUNT = [{"type": "count"}]


@dataclass
class Counting:
    """A confinement that counts what goes through it, in this process."""

    opened: int = 0
    closed: int = 0
    ran: list[int] = field(default_factory=list)
    dies: set[int] = field(default_factory=set)

    @contextmanager
    def confine(self) -> Iterator[Runner]:
        self.opened += 1
        try:
            yield self.run
        finally:
            self.closed += 1

    def run(self, machine: Machine, state: State, context: Context, asked: Action, /) -> Verdict:
        self.ran.append(context.ordinal)
        if context.ordinal in self.dies:
            state.drop()
            return Verdict("failed", "died", environment=True, died=True)
        return apply(machine, state, context, asked)


@pytest.mark.parametrize("count", [1, 2, 3, 1_000])
def test_a_message_is_suspect_from_its_third_delivery_on(count: int) -> None:
    module = imported("executor")
    event = load("three_groups")
    for record in event["Records"][:1]:
        record["attributes"]["ApproximateReceiveCount"] = str(count)
    suspects = [set(each.folded.suspects) for each in module.group(event)]
    first = event["Records"][0]["messageId"]
    assert suspects == [{first} if count >= 3 else set(), set(), set()]


def test_suspects_are_committed_before_any_other_message_is_run() -> None:
    ports, counting = Ports(), Counting()
    executor = replace(ports.executor(Rogue()), confine=counting.confine)
    messages = [message(number, COUNT * 2) for number in range(1, 6)]
    folded = executor.fold(
        MACHINE, messages, deadline=NEVER, suspects={"message-1", "message-2", "message-5"}
    )
    assert folded.left == []
    # Message 5 stands behind others: it is confined when it comes to be the first.
    assert [len(block.body.messages) for block in ports.blocks()] == [2, 3]
    assert counting.ran == [0, 1, 2, 3]
    assert (counting.opened, counting.closed) == (1, 1)


def test_nothing_is_confined_without_need() -> None:
    ports, counting = Ports(), Counting()
    executor = replace(ports.executor(Rogue()), confine=counting.confine)
    executor.fold(MACHINE, [message(1, COUNT)], deadline=NEVER)
    executor.fold(MACHINE, [message(1, COUNT)], deadline=NEVER, suspects={"message-1"})
    assert counting.opened == 0, "that message stands in a block"


def test_each_death_ends_its_block() -> None:
    ports, counting = Ports(), Counting(dies={1, 4})
    executor = replace(ports.executor(Journal()), confine=counting.confine)
    messages = [message(number, [{"type": "note", "args": {"text": "x"}}] * 3) for number in (1, 2)]
    executor.fold(MACHINE, messages, deadline=NEVER, suspects={"message-1", "message-2"})
    outcomes = [[record.outcome for _, _, record in block.body.actions] for block in ports.blocks()]
    # Of message 2, no part goes behind the rest of message 1: it begins a block, and fills it.
    assert outcomes == [["applied", "failed"], ["applied"], ["applied", "failed"], ["applied"]]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_confined_fold_that_is_killed_at_any_call_is_made_good(moment: str) -> None:
    """The executor dies before or after each call; the next one goes on, also confined."""
    asked = [{"type": each} for each in ("count", "leave", "count")]
    messages = [message(1, asked), message(2, asked)]
    suspects = {"message-1", "message-2"}
    whole = _confined_fold(Faults(), Ports(), messages, suspects)
    for position in range(len(whole.steps)):
        ports = Ports()
        faults = Faults({position}, moment)  # type: ignore[arg-type]
        with pytest.raises(Killed):
            _confined_fold(faults, ports, messages, suspects)
        _confined_fold(Faults(), ports, messages, suspects)
        records = [record for block in ports.blocks() for _, _, record in block.body.actions]
        assert [record.outcome for record in records] == ["applied", "failed", "applied"] * 2
        assert ports.stored() == {"count": 4}


def _confined_fold(
    faults: Faults, ports: Ports, messages: list[Message], suspects: set[str]
) -> Faults:
    counting = Counting(dies={1, 4})
    executor = replace(
        ports.executor(Rogue()),
        log=faulty("log", ports.log, faults),
        table=faulty("table", ports.table, faults),
        machines=faulty("machines", ports.machines, faults),
        confine=counting.confine,
    )
    executor.fold(MACHINE, messages, deadline=NEVER, suspects=suspects)
    return faults
