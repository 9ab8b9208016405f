"""What the example's history costs in DynamoDB: ``python -m tests.docs.costs``.

Folds the whole history of `examples.httpx` in memory, ten messages a block as the queue hands
them over, and counts write units as DynamoDB does (`blockfold.domain.units`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from blockfold import Head, Message, execute
from blockfold.adapters.dynamodb.items import INLINE_BYTES, to_item
from blockfold.adapters.dynamodb.packing import pack
from blockfold.domain import prices
from blockfold.domain.replay import EntriesSource, fold
from blockfold.domain.units import item_bytes, write_units
from examples.httpx.history import commits
from machines.repository import Repository

MESSAGES = 10
QUEUE = "arn:aws:sqs:us-east-1:111122223333:Blockfold-QueuesActionsE5F4A30C-a1b2c3d4e5f6.fifo"


@dataclass(frozen=True, slots=True)
class Cost:
    """Counts of one run, and dollars per million actions of its two kinds of writes."""

    actions: int
    blocks: int
    log_units: int
    state_units: int

    @property
    def log(self) -> float:
        """Dollars per million actions for the log."""
        return self.log_units / self.actions * prices.WRU * 1e6

    @property
    def state(self) -> float:
        """Dollars per million actions for the state table."""
        return self.state_units / self.actions * prices.WRU * 1e6


def measure() -> Cost:
    """Fold the history and count. All its values are below 1 KB: one unit a changed key."""
    messages = [
        Message(
            id=f"{commit.number:08d}-0000-4000-8000-000000000000",
            body=commit.body,
            queue=QUEUE,
            sequence=f"{18849496460467696128 + commit.number * 256}",
            sent=1_795_356_000_000 + commit.number * 1_000,
            sender="AROAEXAMPLEEXAMPLEEXA:producer",
        )
        for commit in commits()
    ]
    head = Head(machine="httpx")
    entries: dict[str, bytes] = {}
    log_units = state_units = 0
    for start in range(0, len(messages), MESSAGES):
        batch = messages[start : start + MESSAGES]
        block = execute(Repository(), head, EntriesSource(entries), batch)
        packed = pack(block.payload)
        assert len(packed) <= INLINE_BYTES, "a body that goes to S3 is priced otherwise"
        log_units += write_units(item_bytes(to_item(block, packed)))
        state_units += block.header.changes
        fold(entries, block)
        head = block.head
    return Cost(head.ordinal, head.number, log_units, state_units)


if __name__ == "__main__":
    cost = measure()
    sys.stdout.write(
        f"{cost.actions:,} actions in {cost.blocks} blocks\n"
        f"log    {cost.log_units:5,} write units: ${cost.log:.3f} per million actions\n"
        f"state  {cost.state_units:5,} write units: ${cost.state:.3f} per million actions\n"
    )
