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

from bench import leaderboard
from bench.block_sizes import blocks
from bench.workload import messages
from blockfold.adapters.dynamodb.packing import pack
from blockfold.domain import digest
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.execute import execute
from blockfold.domain.replay import EntriesSource, fold

ACTIONS = 4_000
ROUNDS = 9

SHAPES: tuple[tuple[int, int], ...] = ((1, 10), (100, 1))
"""Actions of a message, messages of a block."""

STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "parse": (("action.py", "parse"),),
    "check the arguments": (("machine.py", "check"), ("machine.py", "find")),
    "run the reducer": (("leaderboard.py", "score"),),
    "collect its writes": (("state.py", "collect"), ("state.py", "keep")),
    "weigh and record": (("apply.py", "weight"), ("apply.py", "record_of")),
    "net changes": (("state.py", "net_changes"),),
    "state digest": (("digest.py", "replace"),),
    "seal: encode, hash": (("execute.py", "seal"),),
}
"""Functions whose time, with all that they call, is a stage's; the rest is the bookkeeping."""


def run(packed: int, size: int, profile: cProfile.Profile | None = None) -> float:
    """Microseconds of CPU an action; folding into the state is the store's part, and not timed."""
    queued = messages(list(leaderboard.workload(ACTIONS).bodies(packed)))
    machine, head = leaderboard.Leaderboard(), Head(machine="bench")
    entries: dict[str, Canonical] = {}
    taken = 0.0
    digest.forget()  # what an earlier round taught it
    for first in range(0, len(queued), size):
        batch = queued[first : first + size]
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


def packing() -> float:
    """Microseconds an action for packing a block's body: what the adapter adds to the domain."""
    made = list(blocks(leaderboard.workload(ACTIONS)))
    start = time.process_time()
    for block in made:
        pack(block.payload)
    return (time.process_time() - start) / ACTIONS * 1e6


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
        rounds = [run(packed, size) for _ in range(ROUNDS)]
        total = statistics.median(rounds)
        sys.stdout.write(
            f"{packed} actions a message, {packed * size} a block: "
            f"{total:.1f} µs of CPU an action (median of {ROUNDS} rounds of {ACTIONS:,}, "
            f"{min(rounds):.1f} in the least disturbed)\n"
        )
        for stage, share in shares(packed, size).items():
            sys.stdout.write(f"  {stage:<20} {share:4.0%} {share * total:6.1f} µs\n")
    packed_in = statistics.median(packing() for _ in range(ROUNDS))
    sys.stdout.write(f"packing the body of ten, in the adapter: {packed_in:.1f} µs an action\n")


if __name__ == "__main__":
    main()
