"""Idempotent producers: they count, try the same again for ever, and die; and what people lose."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import zstandard

from blockfold.adapters.envelope import ENCODING, ZSTD, named
from tests.simulation.services.queues import Message
from tests.simulation.world import World


@dataclass(slots=True)
class Sending:
    """A producer's side of one machine.

    Attributes:
        producer: The producer's id.
        count: Its number for the last message that it made.
        request: That message, while it does not know that the queue took it; else None.
    """

    producer: str
    count: int = 0
    request: dict[str, Any] | None = None


def produce(world: World) -> None:
    """A producer sends its next message to a machine, or the last one again until it is taken."""
    random = world.random
    place = (random.choice(world.names), random.randrange(world.plan.producers))
    sending = world.producers.get(place)
    if sending is None or random.random() < 0.05:  # a process that died has forgotten all of it
        sending = Sending(f"p{place[1]}-{random.getrandbits(32):08x}")
        world.producers[place] = sending
    if sending.request is None:
        if world.totals["sent"] >= world.plan.sends + world.plan.producers * 4:
            return
        _make(world, sending, place[0])
    _send(world, sending)


def settle(world: World) -> None:
    """All of them get their last messages through; what was lost comes again."""
    for sending in world.producers.values():
        if sending.request is not None:
            _send(world, sending, lossy=False)
    redrive(world)


def _make(world: World, sending: Sending, machine: str) -> None:
    """The next message: what is in it stays the same, however often it is sent."""
    from tests.simulation.moves import body_of

    body = body_of(world)
    sending.count += 1
    attributes = named(sending.producer, sending.count)
    kind = world.random.random()
    if kind < 0.3:
        body = b64encode(zstandard.ZstdCompressor().compress(body.encode())).decode()
    if kind < 0.35:
        attributes[ENCODING] = ZSTD  # some of these say so, and are not packed at all
    sending.request = {
        "QueueUrl": world.settings.actions_queue,
        "MessageBody": body,
        "MessageGroupId": machine,
        "MessageDeduplicationId": f"{sending.producer}.{machine}.{sending.count}",
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
        },
    }
    world.totals["sent"] += 1


def _send(world: World, sending: Sending, *, lossy: bool = True) -> None:
    """One try: it does not arrive, or its answer does not, or all is well."""
    request = sending.request
    assert request is not None, "there is something to be sent"
    machine, name = request["MessageGroupId"], f"{sending.producer}/{sending.count}"
    chance = world.random.random() if lossy else 1.0
    if chance < 0.1:
        world.tell("producer", f"sends {name} to {machine}, in vain")
        return
    answer = world.outside.sqs.send_message(**request)
    world.tell("producer", f"sends {name} to {machine}", answer["SequenceNumber"][-6:])
    world.accept(_in_queue(world, answer["MessageId"]))
    if chance < 0.4:
        world.tell("producer", "does not hear of it")
        return
    sending.request = None


def _in_queue(world: World, id_: str) -> Message:
    """A message that the queue took, also one that is gone from it."""
    return next(each for each in world.cloud.actions.accepted if each.id == id_)


def lose(world: World) -> None:
    """The first message of a group goes to the dead letters, done or not, but not half done."""
    if any(task.environment.function == "executor" for task in world.tasks):
        return
    firsts: dict[str, Message] = {}
    queue = world.cloud.actions
    for each in queue.messages:
        firsts.setdefault(each.group, each)
    found = [each for each in firsts.values() if each.named and not queue.in_flight(each)]
    if not found:
        return
    message = world.random.choice(found)
    if not world.truth.lose(message.group, message.id):
        return
    queue.bury(message)
    world.totals["buried"] += 1
    world.tell("people", f"lose {message.id} of {message.group}", message.sequence[-6:])


def redrive(world: World) -> None:
    """All dead letters come again, as new messages."""
    queue = world.cloud.actions
    moved = world.cloud.dead_letters.redrive(queue)
    for message in queue.accepted[len(queue.accepted) - moved :]:
        world.tell("people", f"redrive {message.id} of {message.group}", message.sequence[-6:])
        world.accept(message)
