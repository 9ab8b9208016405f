"""Ten machines in one batch, side by side and one after the other: ``python -m bench.groups``.

Each batch has one message of each of ten machines, as a stack of many machines gets them. Both
executors are warm, on the same emulator, in turns. DynamoDB answers a put in some milliseconds, an
emulator on the same machine in less than one, so it is measured as it is, and with that wait added
to each request.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.ours import settings_of
from bench.server import OURS, serving
from blockfold import Message
from blockfold.application import lanes
from blockfold.application.execute import Executor, Folded
from blockfold.application.lanes import Share, Steps, carry_out, share_lanes
from blockfold.bootstrap import Adapters, executor

MACHINES = 10
ROUNDS = 30
WAITS = (0.0, 0.005)
"""Seconds added to each request."""

NEVER = float("inf")


def batch(number: int) -> list[Folded]:
    """One message for each machine."""
    return [
        Folded(
            f"machine-{each}",
            [
                Message(
                    id=f"message-{number}-{each}",
                    sequence=str(number),
                    sent=1_795_356_000_000 + number,
                    body='{"type": "score", "args": {"player": "p1", "points": 1}}',
                )
            ],
        )
        for each in range(MACHINES)
    ]


def one_by_one(found: Executor, works: list[Folded]) -> None:
    """Each group's requests after the other's."""
    for each in works:
        carry_out(found.commit(each, Share(NEVER), short=250))


def side_by_side(found: Executor, works: list[Folded]) -> None:
    """As the handler does it."""

    def begin(each: Folded, share: Share) -> Steps:
        return found.commit(each, share, short=250)

    share_lanes(works, begin, lambda: 0.0, deadline=NEVER)


def main() -> None:
    """Print the ratio for each wait."""
    ways: dict[str, Callable[[Executor, list[Folded]], None]] = {
        "one by one": one_by_one,
        "side by side": side_by_side,
    }
    with TemporaryDirectory() as folder, serving(Path(folder)) as server:
        for wait in WAITS:
            times: dict[str, list[float]] = {name: [] for name in ways}
            with server.with_tables(OURS) as tables:
                found = _executor(server.clients(), tables, wait)
                for number in range(2 * ROUNDS + 2):
                    name = list(ways)[number % 2]
                    works = batch(number + 1)
                    start = time.perf_counter()
                    ways[name](found, works)
                    times[name].append(time.perf_counter() - start)
                    assert all(each.blocks and not each.behind for each in works), "all is stored"
            warm = {name: median(each[1:]) * 1000 for name, each in times.items()}
            slow, quick = warm["one by one"], warm["side by side"]
            sys.stdout.write(
                f"{MACHINES} machines, {wait * 1000:.0f} ms more a request: one by one {slow:.1f} "
                f"ms, side by side {quick:.1f} ms, ratio {slow / quick:.2f} "
                f"({lanes.LANES} lanes, medians of {ROUNDS} rounds)\n"
            )


def _executor(clients: Any, tables: dict[str, str], wait: float) -> Executor:
    if wait:
        clients.dynamodb.meta.events.register("before-send.dynamodb", lambda **_: time.sleep(wait))
    return executor(Adapters(settings_of(tables, "bench.leaderboard:Leaderboard"), clients))


if __name__ == "__main__":
    main()
