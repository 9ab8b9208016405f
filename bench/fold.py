"""Folding recorded changes against a bare loop, side by side: ``python -m bench.fold``.

100,000 actions of a leaderboard over 1,000 players stand in blocks. The bare loop decodes the
blocks and updates a dict. Ours besides checks chain, hashes, counts and digests of each block.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Literal

import msgspec

from bench.leaderboard import Leaderboard
from blockfold import Block, Message
from blockfold.adapters.memory import MemoryBlockLog, MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.history import History
from blockfold.domain.block import Body, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.execute import execute
from blockfold.domain.replay import EntriesSource, fold

ACTIONS = 100_000
PLAYERS = 1_000
PACKED = 10
"""Actions of a message."""

BLOCKS: tuple[Literal[10, 100, 1000], ...] = (10, 100, 1000)
"""Actions of a block."""

ROUNDS = 5
MACHINE = "bench"


class Undecoded(MemoryBlockLog):
    """A log that hands out blocks as a database would: the body not decoded yet."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__()
        self.blocks = blocks

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """See `BlockLog.read`."""
        assert machine == MACHINE, "there is one machine"
        for block in self.blocks[first - 1 : last]:
            yield Block(block.header, block.payload, block.total)


def history(size: int) -> list[Block]:
    """The blocks, each with so many actions."""
    random = Random(1)  # noqa: S311 - the same workload each time
    head, entries, blocks = Head(machine=MACHINE), dict[str, Canonical](), list[Block]()
    for number in range(ACTIONS // size):
        messages = [_message(random, number * size + first) for first in range(0, size, PACKED)]
        block = execute(Leaderboard(), head, EntriesSource(entries), messages)
        assert block.actions == size, "a block holds all its messages"
        fold(entries, block)
        blocks.append(block)
        head = block.head
    return blocks


def bare(blocks: list[Block]) -> int:
    """Decode each body and update a dict; how many keys there are."""
    state: dict[str, bytes] = {}
    for block in blocks:
        body = msgspec.json.decode(block.payload, type=Body)
        for key, value in body.set.items():
            state[key] = bytes(value)
        for key in body.deleted:
            del state[key]
    return len(state)


def ours(blocks: list[Block]) -> int:
    """Read the blocks from a log, check them and fold them."""
    history = History(Undecoded(blocks), ObjectSnapshots(MemoryObjectStore()))
    return len(history.at(MACHINE, len(blocks)).entries)


def main() -> None:
    """Print the ratio for blocks of each size."""
    sys.stdout.write(f"folding {ACTIONS:,} recorded actions; medians of {ROUNDS} rounds\n")
    for size in BLOCKS:
        blocks = history(size)
        times: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(ROUNDS):
            for name, run in (("bare", bare), ("ours", ours)):
                times[name].append(_timed(run, blocks))
        bare_time, our_time = (statistics.median(times[name]) for name in ("bare", "ours"))
        sys.stdout.write(
            f"{size:>5} actions a block: bare loop {bare_time * 1000:7.1f} ms, "
            f"checked fold {our_time * 1000:7.1f} ms, ratio {our_time / bare_time:.2f}\n"
        )


def _message(random: Random, number: int) -> Message:
    actions = [
        {
            "type": "score",
            "args": {"player": f"p{random.randrange(PLAYERS):04}", "points": random.randrange(100)},
        }
        for _ in range(PACKED)
    ]
    return Message(
        id=f"{number:032x}",
        sequence=f"{number:020}",
        queue="arn:aws:sqs:eu-west-1:000000000000:actions.fifo",
        sent=1_700_000_000_000 + number,
        sender="AIDAEXAMPLE",
        body=msgspec.json.encode(actions).decode(),
    )


def _timed(run: Callable[[list[Block]], int], blocks: list[Block]) -> float:
    start = time.perf_counter()
    assert run(blocks) == PLAYERS
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
