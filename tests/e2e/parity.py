"""The blocks of a stack once more: its messages through the object and through the simulation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from blockfold import Block, Limits, Machine, ManualClock, Message, Runtime
from blockfold.application.execute import Executor
from blockfold.bootstrap import Adapters
from tests.simulation.services import STACK, Cloud, Direct, SimClients


class Again:
    """A reader that gives the messages of one block at a time, as the queue gave them."""

    consumes = False

    def __init__(self, groups: Sequence[list[Message]]) -> None:
        self._groups = list(groups)

    def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
        return self._groups.pop(0) if self._groups else []

    def acknowledge(self, messages: Sequence[Message]) -> None: ...

    def release(self, messages: Sequence[Message]) -> None:
        raise AssertionError("all fit into their block")


def messages_of(blocks: Sequence[Block]) -> list[list[Message]]:
    """The messages of each block. Only a block's last sequence number is known, and counts."""
    groups = []
    before = 0
    for block in blocks:
        [mark] = block.body.marks
        records = block.body.messages
        assert mark.next is None, "no message is split"
        last = int(mark.sequence)
        assert last - before >= len(records)
        groups.append(
            [
                Message(
                    id=record.id,
                    body=json.dumps([_asked(each) for each in record.actions]),
                    queue=mark.queue,
                    sequence=mark.sequence if place == 0 else str(last - place),
                    sent=mark.sent if place == 0 else record.time,
                    sender=record.sender,
                    producer=record.producer,
                    count=record.count,
                )
                for place, record in zip(reversed(range(len(records))), records, strict=True)
            ]
        )
        before = last
    return groups


def _asked(record: object) -> object:
    asked = record.asked  # type: ignore[attr-defined]
    found = {"type": asked.type, "args": json.loads(asked.args)}
    return found | ({"id": asked.id} if asked.id else {})


def by_object(machine: Machine, name: str, groups: Sequence[list[Message]]) -> list[Block]:
    with Runtime(machine, name, reader=Again(groups), limits=Limits()) as runtime:
        while runtime.poll():
            pass
        return list(runtime.blocks())


def by_simulation(machine: Machine, name: str, groups: Sequence[list[Message]]) -> list[Block]:
    cloud = Cloud(STACK, clock=ManualClock(), random=Random(1), page=3)
    adapters = Adapters(cloud.settings, SimClients(cloud, Direct()).as_clients())
    executor = Executor(
        machine=machine,
        log=adapters.log,
        table=adapters.table,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        clock=adapters.clock,
    )
    for group in groups:
        folded = executor.fold(name, group, deadline=float("inf"))
        assert folded.error is folded.flush_error is None
    return list(adapters.log.read(name, 1))
