"""Messages in envelopes, as the executor λ and a machine as a plain object get them."""

from __future__ import annotations

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
import zstandard

from blockfold import Block
from blockfold.adapters.envelope import (
    ENCODING,
    MAX_UNPACKED_BYTES,
    PRODUCER,
    ZSTD,
    named,
    seal,
    unseal,
)
from blockfold.application.verify import Verifier
from blockfold.domain.block import Head
from blockfold.domain.frames import rerun
from blockfold.domain.replay import EntriesSource
from blockfold.runtime.sqs_channel import SqsChannel
from lambdas import executor as handler
from machines.forest import Forest
from tests.lambdas.conftest import load
from tests.properties.histories import MACHINE, NEVER, Ports, history
from tests.simulation.services import STACK, Cloud, SimClients
from tests.snapshots.stack import HandClock

PLANT = json.dumps({"type": "plant", "args": {"tree": "t" * 2_000, "species": "oak"}})
"""Long enough to be worth compressing."""


def packed(raw: bytes) -> str:
    return b64encode(zstandard.ZstdCompressor().compress(raw)).decode()


BOMB = packed(b" " * (MAX_UNPACKED_BYTES + 1))
UNSIZED = b64encode(zstandard.ZstdCompressor(write_content_size=False).compress(b"{}")).decode()
CUT = b64encode(zstandard.ZstdCompressor().compress(PLANT.encode())[:-9]).decode()

SPOILED: dict[str, tuple[str, dict[str, str], str]] = {
    "no Base64": ("é{", {ENCODING: ZSTD}, "the body does not unpack"),
    "no frame": ("YWJj", {ENCODING: ZSTD}, "the body does not unpack"),
    "a frame without its end": (CUT, {ENCODING: ZSTD}, "the body does not unpack"),
    "a frame that hides its size": (UNSIZED, {ENCODING: ZSTD}, "claims other than 0 to"),
    "a bomb": (BOMB, {ENCODING: ZSTD}, "claims other than 0 to"),
    "no UTF-8": (packed(b"\xff"), {ENCODING: ZSTD}, "the body does not unpack"),
    "another encoding": (PLANT, {ENCODING: "br"}, "this version knows 'zstd'"),
    "no count": (PLANT, {PRODUCER: "p"}, "is no <id>/<count>"),
    "a count of zero": (PLANT, {PRODUCER: "p/0"}, "is no <id>/<count>"),
    "half a character": ("\ud800", {ENCODING: ZSTD}, "the body does not unpack"),
    "a producer of half a character": (PLANT, {PRODUCER: "\ud800"}, "is no <id>/<count>"),
    "a producer that is no text": (PLANT, {PRODUCER: ""}, "is no <id>/<count>"),
}


def record(body: str, attributes: dict[str, str]) -> dict[str, Any]:
    """A message as Lambda hands it over."""
    made: dict[str, Any] = load("one_message")["Records"][0]
    made["body"] = body
    made["messageAttributes"] = {
        name: {"stringValue": text, "dataType": "String"} if text else {"dataType": "Binary"}
        for name, text in attributes.items()
    }
    return made


def blocks_of(ports: Ports) -> list[Block]:
    found = ports.blocks()
    assert Verifier(ports.log, ports.table, ports.machines, ports.snapshots).verify(MACHINE).ok
    return found


def test_the_handler_opens_an_envelope() -> None:
    body, attributes = seal(PLANT)
    assert attributes
    assert len(body) < len(PLANT)
    (group,) = handler.group({"Records": [record(body, {**attributes, **named("p-1", 7)})]})
    (message,) = group.folded.messages
    assert (message.body, message.producer, message.count) == (PLANT, "p-1", 7)
    assert message.spoiled == ""


def test_a_raw_senders_message_is_as_it_was() -> None:
    (group,) = handler.group({"Records": [record(PLANT, {"other": "x"})]})
    (message,) = group.folded.messages
    assert (message.body, message.producer, message.count) == (PLANT, "", 0)
    without = record(PLANT, {})
    del without["messageAttributes"]
    (group,) = handler.group({"Records": [without]})
    assert group.folded.messages[0].body == PLANT


@pytest.mark.parametrize("case", SPOILED)
def test_what_does_not_open_is_one_malformed_action_and_nothing_is_lost(case: str) -> None:
    body, attributes, why = SPOILED[case]
    attributes = {PRODUCER: "p/1", **attributes}
    (group,) = handler.group({"Records": [record(body, attributes)]})
    (message,) = group.folded.messages
    ports = history(Forest(), [[message]])
    (block,) = blocks_of(ports)
    ((recorded, _, action),) = block.body.actions
    assert action.outcome == "malformed"
    assert action.raw == body.encode("utf-8", "backslashreplace").decode()
    assert why in (action.reason or "")
    if PRODUCER not in SPOILED[case][1]:
        assert (recorded.producer, recorded.count) == ("p", 1), "a repeat is known, too"


@pytest.mark.parametrize("case", ["sound", "a bomb"])
def test_a_block_of_a_producer_is_executed_again_to_the_same_hash(case: str) -> None:
    body, attributes = (PLANT, {}) if case == "sound" else SPOILED[case][:2]
    (group,) = handler.group({"Records": [record(body, {**attributes, **named("p", 1)})]})
    ports = history(Forest(), [list(group.folded.messages)])
    (block,) = blocks_of(ports)
    again = rerun(Forest(), Head(machine=MACHINE), EntriesSource({}), block)
    assert again.again == block
    assert again.differences == again.remarks == []


def test_no_text_makes_unsealing_fail() -> None:
    random = Random(1)
    bodies = [PLANT, packed(PLANT.encode()), BOMB, CUT, "", "\ud800", "=" * 9]
    for _ in range(300):
        body = random.choice(bodies)
        cut = random.randrange(len(body) + 1)
        changed = body[:cut] + chr(random.randrange(0x250)) + body[cut + random.randrange(3) :]
        found = unseal(changed, {ENCODING: random.choice([ZSTD, "", "x"]), PRODUCER: "p/1"})
        assert found.spoiled or found.body


def test_a_plain_object_opens_envelopes_and_drops_repeats() -> None:
    cloud = Cloud(STACK, clock=HandClock())
    clients = SimClients(cloud).as_clients()
    url = cloud.settings.actions_queue
    channel = SqsChannel(url, "grove", clients.sqs)
    body, attributes = seal(PLANT)
    sent = {
        name: {"DataType": "String", "StringValue": text}
        for name, text in {**attributes, **named("p", 1)}.items()
    }
    for once in ("a", "b"):
        clients.sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId="grove",
            MessageDeduplicationId=once,
            MessageAttributes=sent,  # type: ignore[arg-type]
        )
    ports = Ports()
    executor = ports.executor(Forest())
    messages = channel.read(10)
    assert [(each.body, each.producer, each.count) for each in messages] == [(PLANT, "p", 1)] * 2
    folded = executor.fold(MACHINE, messages, deadline=NEVER)
    assert folded.again == []
    assert folded.repeated == 1
    assert [each.actions for each in ports.blocks()] == [1]
