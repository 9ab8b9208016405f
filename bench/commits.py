"""What a commit takes by botocore's own session and by the quick one: ``python -m bench.commits``.

Both commit the same blocks of ten actions, in turns, to tables of the same emulator.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import leaderboard
from bench.block_sizes import blocks
from bench.ours import settings_of
from bench.server import OURS, Server, serving
from blockfold.adapters.transport import QuickSession
from blockfold.bootstrap import Adapters
from blockfold.domain.block import Block
from blockfold.ports import BlockLog

ROUNDS = 9
BLOCKS = 200
MICRO = 1e6


def log_of(server: Server, tables: dict[str, str], *, quick: bool) -> BlockLog:
    """A log on tables of its own."""
    adapters = Adapters(settings_of(tables, "bench.leaderboard:Leaderboard"), server.clients())
    endpoint = adapters.clients.dynamodb._endpoint  # type: ignore[attr-defined]  # noqa: SLF001
    session = endpoint.http_session
    assert isinstance(session, QuickSession), "the clients are quick"
    if not quick:
        endpoint.http_session = session.other
    return adapters.log


def run(log: BlockLog, made: list[Block]) -> tuple[float, float]:
    """Wall and CPU time of a commit, in microseconds."""
    begin, cpu = time.perf_counter(), time.process_time()
    for block in made:
        log.append(block)
    taken = time.perf_counter() - begin, time.process_time() - cpu
    return taken[0] / len(made) * MICRO, taken[1] / len(made) * MICRO


def main() -> None:
    """Measure, and print medians and how they compare."""
    made = list(blocks(leaderboard.workload(BLOCKS * 10)))
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with TemporaryDirectory() as temporary, serving(Path(temporary)) as server:
        for number in range(ROUNDS):
            for quick in sorted(found, reverse=bool(number % 2)):
                with server.with_tables(OURS) as tables:
                    log = log_of(server, tables, quick=quick)
                    log.append(made[0])  # makes the client and opens a connection
                    found[quick].append(run(log, made[1:]))
    sys.stdout.write(f"a commit of ten actions, medians of {ROUNDS} rounds of {BLOCKS - 1}\n")
    for quick, taken in found.items():
        wall, cpu = (median(each[kind] for each in taken) for kind in (0, 1))
        name = "the quick one" if quick else "botocore's own session"
        sys.stdout.write(f"{name:<24}{wall:7,.0f} µs  {cpu:7,.0f} µs of CPU\n")
    ratios = [
        [slow[kind] / fast[kind] for slow, fast in zip(found[False], found[True], strict=True)]
        for kind in (0, 1)
    ]
    for name, each in zip(("time", "CPU"), ratios, strict=True):
        sys.stdout.write(
            f"{name:<5}{median(each):.2f} times as much ({min(each):.2f} to {max(each):.2f})\n"
        )


if __name__ == "__main__":
    main()
