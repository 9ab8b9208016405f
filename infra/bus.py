"""The event bus on which the stack tells the world what happened."""

from __future__ import annotations

from aws_cdk import aws_events as events
from constructs import Construct

SOURCE = "blockfold"
"""Source of the stack's own events; reducers' events come from `blockfold.events`."""

BLOCK_EXECUTED = "BlockExecuted"
"""Detail type: one a block, at least once; consumers drop repeats by the block's hash."""


class Bus(Construct):
    """A bus of the stack's own, so that rules here see no other application's events."""

    def __init__(self, scope: Construct, id_: str) -> None:
        """Make the bus, named after stack and construct."""
        super().__init__(scope, id_)
        self.bus = events.EventBus(
            self, "Events", description="Blockfold: executed blocks, and events of their reducers"
        )

    def due_snapshots(self) -> events.EventPattern:
        """Matches executed blocks that the dumper's settings mark for a snapshot."""
        return events.EventPattern(
            source=[SOURCE], detail_type=[BLOCK_EXECUTED], detail={"snapshot_due": [True]}
        )
