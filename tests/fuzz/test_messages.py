"""Malformed messages by the hundred thousand, among good ones: each recorded once, none harms."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from random import Random

import pytest

from blockfold import Message
from blockfold.application.execute import Executor
from blockfold.domain.block import OUTCOMES
from blockfold.domain.replay import check_link
from tests.fuzz.bodies import body, large
from tests.machines_for_tests import Journal
from tests.properties.histories import MACHINE, NEVER, Ports, decoded
from tests.strategies import SENT

SOAK = bool(os.environ.get("BLOCKFOLD_SOAK"))
SEEDS = range(100 if SOAK else 4)
MALFORMED = 30_000
"""Messages of each seed that hold nothing but malformed actions, at least."""

BATCH = 10

MANY = 1024 * 1024 if SOAK else 64 * 1024


def messages(random: Random) -> Iterator[Message]:
    """Bodies that are most likely no good; every tenth message or so is a good one of ours."""
    number = 0
    while True:
        number += 1
        good = random.random() < 0.1
        text = json.dumps({"type": "note", "args": {"text": f"ours {number}"}})
        yield Message(
            id=f"m{number}",
            body=text if good else body(random),
            sequence=str(number),
            sent=SENT + number,
            sender="ours" if good else "theirs",
        )


def folded(executor: Executor, batch: list[Message]) -> None:
    done = executor.fold(MACHINE, batch, deadline=NEVER)
    assert done.error is None
    assert done.flush_error is None
    assert done.left == []


@pytest.mark.parametrize("seed", SEEDS)
def test_each_is_recorded_once_in_order_and_good_ones_are_applied(seed: int) -> None:
    random = Random(seed)
    ports = Ports()
    executor = ports.executor(Journal())
    source = messages(random)
    sent: list[Message] = []
    malformed, checked, head = 0, 0, None
    while malformed < MALFORMED:
        batch = [next(source) for _ in range(BATCH)]
        sent += batch
        folded(executor, batch)
        for block in ports.log.read(MACHINE, checked + 1):
            if head is not None:
                check_link(head, block)
            checked, head = block.number, block.head
            for record in block.body.messages:
                outcomes = {each.outcome for each in record.actions}
                assert outcomes <= set(OUTCOMES)
                assert record.sender == "theirs" or outcomes == {"applied"}
                malformed += outcomes == {"malformed"}
        if len(sent) % 1_000 == 0:  # some come twice
            folded(ports.executor(Journal()), batch)
    records = [record for block in ports.blocks() for record in block.body.messages]
    assert [record.id for record in records] == [message.id for message in sent]
    assert all(record.first == 0 for record in records)
    texts = [message.body for message in sent if message.sender == "ours"]
    ours = [value for value in ports.stored().values() if _is_ours(value)]
    assert [each["text"] for each in ours] == [json.loads(text)["args"]["text"] for text in texts]
    assert ports.stored() == decoded(ports.reader().state_at(MACHINE, checked).entries)


def _is_ours(value: object) -> bool:
    return isinstance(value, dict) and str(value.get("text")).startswith("ours ")


@pytest.mark.parametrize("number", range(len(large(Random(0)))))
def test_a_message_of_a_mebibyte_of_anything_goes_through(number: int) -> None:
    ports = Ports()
    text = large(Random(number), MANY)[number]
    around = '{"type":"note","args":{"text":"around"}}'
    batch = [
        Message(id=f"m{at}", body=each, sequence=str(at), sent=SENT)
        for at, each in enumerate((around, text, around), 1)
    ]
    folded(ports.executor(Journal()), batch)
    actions = [
        (message.id, record.outcome)
        for block in ports.blocks()
        for message, _, record in block.body.actions
    ]
    assert actions[0] == ("m1", "applied")
    assert actions[-1] == ("m3", "applied")
    assert {name for name, _ in actions[1:-1]} == {"m2"}
    assert len(actions) == sum(len(each.asked) for each in batch)
