"""Tell the world about committed blocks: the Blocks stream is the outbox.

At least once, in any order between machines: consumers tell repeats by ``hash`` or ``id``. If the
process dies, the stream delivers the same blocks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from blockfold.domain.block import Block
from blockfold.domain.canonical import encode_raw
from blockfold.domain.schedule import OFF, Schedule
from blockfold.ports import Announcement, EventBus, Machines

SOURCE = "blockfold"
"""Source of what Blockfold itself says."""

EVENTS_SOURCE = "blockfold.events"
"""Source of what reducers emitted: no reducer can speak for Blockfold."""

BLOCK_EXECUTED = "BlockExecuted"


@dataclass(frozen=True, slots=True)
class Announcer:
    """Publishes blocks and the events in them.

    Attributes:
        machines: The register, with the schedules.
        bus: Where to publish.
    """

    machines: Machines
    bus: EventBus

    def announce(self, blocks: Sequence[Block]) -> int:
        """Publish each block's ``BlockExecuted`` and its domain events; how many events it were.

        Raises:
            Unavailable: Some may not have been published: announce the same blocks again.
        """
        schedules: dict[str, Schedule] = {}
        announcements: list[Announcement] = []
        for block in blocks:
            if block.machine not in schedules:
                record = self.machines.get(block.machine)
                schedules[block.machine] = record.schedule if record else OFF
            announcements.append(
                block_executed(block, due=schedules[block.machine].due(block.number))
            )
            announcements.extend(domain_events(block))
        self.bus.publish(announcements)
        return len(announcements)


def block_executed(block: Block, *, due: bool) -> Announcement:
    """The event that says that a block was committed."""
    detail = {
        "machine": block.machine,
        "number": block.number,
        "epoch": block.header.epoch,
        "hash": block.hash,
        "digest": block.header.digest,
        "actions": block.actions,
        "outcomes": block.outcomes,
        "time": block.header.time,
        "snapshot_due": due,
    }
    return Announcement(SOURCE, BLOCK_EXECUTED, encode_raw(detail), block.header.time)


def domain_events(block: Block) -> Iterator[Announcement]:
    """The events that a block's reducers emitted, each with an id that repeats share."""
    for index, event in enumerate(block.body.events):
        detail = {
            "id": f"{block.hash}/{index}",
            "machine": block.machine,
            "number": block.number,
            "action": event.action,
            "time": block.header.time,
            "detail": msgspec.Raw(event.detail),
        }
        yield Announcement(EVENTS_SOURCE, event.type, encode_raw(detail), block.header.time)
