"""What the domain takes of a core for one action: ``python -m bench.domain``.

A leaderboard over 1,000 players in random order, ten one-action messages a block and one message
of a hundred. Between the message's text and the block's bytes, nothing is read or written: no
client, no store. The total is measured by itself, without a profiler; the shares of the stages are
cProfile's, whose calls cost time of their own, so they only say how the total divides.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import msgspec

from bench.fold import Leaderboard
from blockfold import Message
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.execute import execute
from blockfold.domain.replay import EntriesSource, fold
from blockfold.domain.state import State

PLAYERS = 1_000
ACTIONS = 4_000
ROUNDS = 9

SHAPES: tuple[tuple[int, int], ...] = ((1, 10), (100, 1))
"""Actions of a message, messages of a block."""

STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "parse": (("action.py", "parse"),),
    "check the arguments": (("machine.py", "check"), ("machine.py", "find")),
    "run the reducer": (("fold.py", "score"),),
    "collect its writes": (("state.py", "collect"), ("state.py", "keep")),
    "weigh and record": (("apply.py", "weight"), ("apply.py", "record_of")),
    "net changes": (("state.py", "net_changes"),),
    "state digest": (("digest.py", "replace"),),
    "seal: encode, hash": (("execute.py", "seal"),),
}
"""Functions whose time, with all that they call, is a stage's; the rest is the bookkeeping."""


def messages(random: Random, packed: int, count: int) -> Iterator[Message]:
    """Messages as SQS delivers them: ids of random, a stack's queue, a role's sender."""
    for number in range(count):
        actions = [
            {
                "type": "score",
                "args": {
                    "player": f"p{random.randrange(PLAYERS):04}",
                    "points": random.randrange(100),
                },
            }
            for _ in range(packed)
        ]
        name = f"{random.getrandbits(128):032x}"
        yield Message(
            id="-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:])),
            body=msgspec.json.encode(actions if packed > 1 else actions[0]).decode(),
            queue=QUEUE,
            sequence=f"{18849496460467696128 + number * 256 + random.randrange(256)}",
            sent=1_795_356_000_000 + number * 7,
            sender="AROAEXAMPLEEXAMPLEEXA:producer",
        )


QUEUE = "arn:aws:sqs:us-east-1:111122223333:Blockfold-QueuesActionsE5F4A30C-a1b2c3d4e5f6.fifo"


def run(packed: int, size: int, profile: cProfile.Profile | None = None) -> float:
    """Microseconds of CPU an action; folding into the state is the store's part, and not timed."""
    random = Random(1)  # noqa: S311 - the same workload each time
    queued = list(messages(random, packed, ACTIONS // packed))
    machine, head, entries = Leaderboard(), Head(machine="bench"), dict[str, Canonical]()
    taken = 0.0
    for first in range(0, len(queued), size):
        batch = [replace(each) for each in queued[first : first + size]]
        source = EntriesSource(entries)
        if profile:
            profile.enable()
        start = time.process_time()
        block = execute(machine, head, source, batch)
        head = block.head
        taken += time.process_time() - start
        if profile:
            profile.disable()
        assert block.actions == packed * size, "a block holds all its messages"
        fold(entries, block)
    return taken / ACTIONS * 1e6


def shares(packed: int, size: int) -> dict[str, float]:
    """The part of each stage in the whole."""
    profile = cProfile.Profile()
    run(packed, size, profile)
    stats = pstats.Stats(profile)
    rows = stats.stats  # type: ignore[attr-defined]
    whole = sum(row[2] for row in rows.values())
    found = {
        stage: sum(
            row[3]
            for (file, _, name), row in rows.items()
            if any(file.endswith(f"/{module}") and name == one for module, one in functions)
        )
        / whole
        for stage, functions in STAGES.items()
    }
    return {**found, "bookkeeping": 1 - sum(found.values())}


def main() -> None:
    """Print the total, and how it divides."""
    gc.collect()
    for packed, size in SHAPES:
        run(packed, size)
        total = statistics.median(run(packed, size) for _ in range(ROUNDS))
        sys.stdout.write(
            f"{packed} actions a message, {packed * size} a block: "
            f"{total:.1f} µs of CPU an action (median of {ROUNDS} rounds of {ACTIONS:,})\n"
        )
        for stage, share in shares(packed, size).items():
            sys.stdout.write(f"  {stage:<20} {share:4.0%} {share * total:6.1f} µs\n")


if __name__ == "__main__":
    main()
