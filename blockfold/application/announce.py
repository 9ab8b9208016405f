"""Tell the world about committed blocks: the Blocks stream is the outbox.

At least once, in any order between machines: consumers tell repeats by ``hash`` or ``id``. If the
process dies, the stream delivers the same blocks again: events that went out go out again, and
checks that were asked for are asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from blockfold.application.checks import asked
from blockfold.domain.block import Block
from blockfold.domain.canonical import encode_raw
from blockfold.domain.errors import BlockfoldError
from blockfold.ports import Announcement, Checks, EventBus, Machines

SOURCE = "blockfold"
"""Source of what Blockfold itself says."""

EVENTS_SOURCE = "blockfold.events"
"""Source of what reducers emitted: no reducer can speak for Blockfold."""

BLOCK_EXECUTED = "BlockExecuted"


@dataclass(frozen=True, slots=True)
class Announced:
    """What was said.

    Attributes:
        events: How many events were published.
        checks: How many checks were asked for.
        trouble: Why the checks may not be asked: no reason to publish again, for the sweep makes
            up for them.
    """

    events: int
    checks: int = 0
    trouble: BlockfoldError | None = None


@dataclass(frozen=True, slots=True)
class Announcer:
    """Publishes blocks and the events in them, and asks for checks of machines with a policy.

    Attributes:
        machines: The register, with the schedules.
        bus: Where to publish.
        checks: Where to ask whether a snapshot is due; None leaves that to the sweep.
    """

    machines: Machines
    bus: EventBus
    checks: Checks | None = None

    def announce(self, blocks: Sequence[Block]) -> Announced:
        """Publish each block's ``BlockExecuted`` and its domain events, then ask for checks.

        Raises:
            Unavailable: Some may not have been published: announce the same blocks again.
        """
        records = self.machines.get_many(dict.fromkeys(block.machine for block in blocks))
        announcements: list[Announcement] = []
        for block in blocks:
            record = records.get(block.machine)
            due = record is not None and record.schedule.due(block.number)
            announcements.append(block_executed(block, due=due))
            announcements.extend(domain_events(block))
        self.bus.publish(announcements)
        wanted = asked(blocks, records)
        if not wanted or self.checks is None:
            return Announced(len(announcements))
        try:
            self.checks.later(wanted)
        except BlockfoldError as error:
            return Announced(len(announcements), trouble=error)
        return Announced(len(announcements), len(wanted))


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
