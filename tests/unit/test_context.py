"""What a reducer knows of its circumstances, and that it does not depend on batching."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from blockfold import Context, Head, Machine, Message, State, action, execute
from blockfold.domain.canonical import Canonical, decode
from blockfold.domain.replay import EntriesSource, fold
from tests.strategies import SENT, message


class Witness(Machine):
    @action
    def look(self, state: State, context: Context) -> None:
        state[f"{context.ordinal:03}"] = [
            context.machine,
            context.id,
            context.sender,
            context.time.isoformat(),
            context.random.random(),
            context.random.random(),
        ]


LOOK: dict[str, Any] = {"type": "look"}


def witnessed(batches: Sequence[Sequence[Message]], machine: str = "m") -> list[list[Any]]:
    head = Head(machine=machine)
    entries: dict[str, Canonical] = {}
    for batch in batches:
        block = execute(Witness(), head, EntriesSource(entries), batch)
        fold(entries, block)
        head = block.head
    return [decode(entries[key]) for key in sorted(entries)]  # type: ignore[misc]


MESSAGES = [
    message(1, [LOOK, {**LOOK, "id": "mine"}, {"type": "look", "args": {"no": 1}}]),
    message(2, [LOOK]),
    message(3, [LOOK, LOOK]),
]


def test_a_reducer_sees_the_same_however_messages_are_batched() -> None:
    together = witnessed([MESSAGES])
    assert len(together) == 5
    assert witnessed([[each] for each in MESSAGES]) == together
    assert witnessed([MESSAGES[:2], MESSAGES[2:]]) == together


def test_the_id_is_the_senders_or_comes_from_the_message() -> None:
    assert [row[1] for row in witnessed([MESSAGES])] == [
        "message-1/0",
        "mine",
        "message-2/0",
        "message-3/0",
        "message-3/1",
    ]


def test_machine_and_sender_are_told() -> None:
    (row,) = witnessed([[message(1, [LOOK])]], machine="x")
    assert row[0] == "x"
    assert row[2] == "AROATEST:tester"


def test_ordinals_count_actions_of_every_outcome() -> None:
    head = Head(machine="m", ordinal=40)
    block = execute(Witness(), head, EntriesSource({}), MESSAGES)
    assert sorted(block.body.set) == ["040", "041", "043", "044", "045"]
    assert block.head.ordinal == 46


def test_time_is_when_the_queue_took_the_message_and_never_goes_back() -> None:
    times = [SENT, SENT - 5_000, SENT + 7, SENT + 6]
    batch = [message(n, [LOOK], sent=sent) for n, sent in enumerate(times, start=1)]
    expected = [SENT, SENT, SENT + 7, SENT + 7]
    for batches in ([batch], [[each] for each in batch]):
        assert [datetime.fromisoformat(row[3]) for row in witnessed(batches)] == [
            datetime.fromtimestamp(time / 1000, UTC) for time in expected
        ]


def test_random_numbers_are_reproducible_and_differ_by_action_and_machine() -> None:
    rows = witnessed([MESSAGES])
    expected = Random("m/0")
    assert rows[0][4:] == [expected.random(), expected.random()]
    drawn = [row[4] for row in rows + witnessed([MESSAGES], machine="other")]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("milliseconds", [0, 1, SENT + 999])
def test_time_is_exact_to_the_millisecond(milliseconds: int) -> None:
    context = Context(
        machine="m", ordinal=0, number=1, id="i", sender="", milliseconds=milliseconds
    )
    assert round(context.time.timestamp() * 1000) == milliseconds
    assert context.time.tzinfo is UTC


def test_the_block_number_is_the_one_that_the_action_will_stand_in() -> None:
    class Numbered(Machine):
        @action
        def look(self, state: State, context: Context) -> None:
            state["number"] = context.number

    block = execute(Numbered(), Head(machine="m", number=6), EntriesSource({}), MESSAGES[1:2])
    assert block.body.changes == {"number": b"7"}
    assert block.number == 7
