"""What one machine, a thousand and a million can do: the tables of ``docs/scaling.md``.

``python -m bench.scale`` prints them, with ``--write`` also into the page. Counts are those of the
real code on a sample (`blockfold.runtime.sample`), times those of `Timing`, queues those of
`bench.fifo`; a few seconds on one core.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import islice
from math import ceil, isinf
from pathlib import Path

from bench.fifo import BATCH, LOOK_AHEAD, Done, place, poisson, simulate
from bench.walls import PLAN_SHARE, SIZES, sharded, sweepable, walls
from blockfold.application.collect import READERS
from blockfold.application.cost import Counts, Shape, Timing, Usage
from blockfold.application.side_by_side import MACHINES
from blockfold.runtime.leaderboard import Leaderboard, scores
from blockfold.runtime.sample import sample

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
PACKED = (1, 10, 100, 1_000)
SHARDS = (1, 2, 4, 8)
QUEUES = (1, 4, 16)

PLAYERS = 1_000
SAMPLE = 100_000
"""Actions of the larger samples."""

NOISY = 300_000
"""Messages that one machine gets at once."""

OTHERS = 999
OTHERS_RATE = 100.0
"""Messages a second of all others together."""

SECONDS = 1_200.0

Row = Sequence[str]


def machine_table() -> Iterator[Row]:
    """One machine that always has messages waiting, by how many actions a message has."""
    yield "actions a message", "a batch takes", "messages/s", "actions/s", "Blocks", "State", "wait"
    timing = Timing()
    for packed in PACKED:
        counts = backlog(packed)
        seconds = batch_seconds(counts, timing)
        batches = 1 / seconds
        messages = counts.messages / counts.invocations * batches
        half = poisson(messages / 2, 4_000 / messages, 1, 1)
        waits = simulate(half, partial(_part, whole=seconds, timing=timing)).latencies()
        yield (
            f"{packed:,}",
            f"{seconds * 1000:,.0f} ms",
            f"{messages:,.0f}",
            f"{messages * packed:,.0f}",
            f"{counts.executor.log_units / counts.invocations * batches:,.0f} WRU/s",
            f"{counts.executor.state_units / counts.invocations * batches:,.0f} WRU/s",
            f"{_quantile(waits, 0.5) * 1000:,.0f} / {_quantile(waits, 0.99) * 1000:,.0f} ms",
        )


def backlog(packed: int) -> Counts:
    """What a machine takes that always has messages waiting."""
    shape = Shape(actions=1e12, per_message=packed)
    return sample(Leaderboard(), scores(PLAYERS), shape, warm=4 * PLAYERS, most=SAMPLE)


def batch_seconds(counts: Counts, timing: Timing) -> float:
    """From one invocation to the next, by what they were counted to take."""
    each = timing.of(counts.executor) + counts.actions * timing.action
    return timing.deliver + timing.invoke + each / counts.invocations


def _part(size: int, whole: float, timing: Timing) -> float:
    """A batch that is not full: what does not depend on its size, and a part of what does."""
    alone = timing.deliver + timing.invoke + 3 * (timing.call + timing.client)
    return alone + max(0.0, whole - alone) * size / BATCH


def walls_table() -> Iterator[Row]:
    """Messages a second that each wall lets through; the lowest of a column is the next one."""
    found = walls(1.0)
    yield "", *(f"{size:,} machine{'s' if size > 1 else ''}" for size in SIZES), "removed by"
    lowest = [min(wall.limits[at] for wall in found) for at in range(len(SIZES))]
    for wall in found:
        cells = [
            _limit(limit, first=limit == low)
            for limit, low in zip(wall.limits, lowest, strict=True)
        ]
        yield wall.what, *cells, wall.removed


def _limit(limit: float, *, first: bool) -> str:
    if isinf(limit):
        return "no"
    digits = len(str(int(limit))) - 2
    text = f"{round(limit, -digits):,.0f}"
    return f"**{text}**" if first else text


def sweeps_table(counts: Counts) -> Iterator[Row]:
    """What one run of each sweep gets through."""
    yield "sweep", "requests for each", "at once", "a run"
    for name, usage, at_once, parts, what in (
        ("hourly, nothing to do", counts.sweep, MACHINES, 1, "machines"),
        ("daily prune, blocks since a week", counts.prune, MACHINES, 1, "machines"),
        ("daily prune, a machine at rest", Usage(calls=1, read_units=1), MACHINES, 1, "machines"),
        ("one machine's manifests", Usage(calls=1, gets=1), READERS, PLAN_SHARE, "manifests"),
    ):
        stored = usage.puts + usage.gets
        requests = f"{usage.calls - stored:.0f} to DynamoDB, {stored:.0f} to S3"
        limit = _limit(sweepable(usage, at_once) / parts, first=False)
        yield name, requests, str(at_once), f"{limit} {what}"


def noisy_table() -> Iterator[Row]:
    """What the others notice of a machine that gets a backlog."""
    yield "queues", "share the noisy one's", "late", "median", "p99", "worst", "at once"
    for queues in QUEUES:
        done = noisy(queues)
        waits = done.latencies(without=0)
        late = sum(wait > 1 for wait in waits) / len(waits)
        yield (
            str(queues),
            f"{sum(place(each, queues) == place(0, queues) for each in range(1, OTHERS + 1)):,}",
            f"{late:.0%}",
            _seconds(_quantile(waits, 0.5)),
            _seconds(_quantile(waits, 0.99)),
            _seconds(waits[-1]),
            f"{done.most:,}",
        )


def noisy(queues: int, *, scale: float = 1.0) -> Done:
    """A backlog of one machine, and others that go on as before.

    Args:
        queues: Queues, over which machines are spread by hash.
        scale: Makes rates and sizes smaller, the noisy machine's own rate among them, and leaves
            times as they are.
    """
    backlog_ = [(0.0, 0)] * round(NOISY * scale)
    others = poisson(OTHERS_RATE * scale, SECONDS, OTHERS, 1, first=1)
    service = Shape(actions=1).turnaround
    return simulate(
        merge(backlog_, others),
        lambda size: service(size) / scale if size == BATCH else service(size),
        queues=queues,
        look_ahead=round(LOOK_AHEAD * scale),
    )


def sharded_table() -> Iterator[Row]:
    """One machine's rows below several partition keys."""
    yield "keys", "rows written a second", "scan of 50 rows", "of 100,000 rows", "first row after"
    for each in map(sharded, SHARDS):
        yield (
            str(each.shards),
            f"{each.writes:,.0f}",
            f"{each.few:,} RRU",
            f"{each.many:,} RRU",
            f"{each.seconds * 1000:.0f} ms",
        )


def cheap_tables() -> dict[str, Callable[[], Iterable[Row]]]:
    """Tables that take no time; a test holds the page against them."""
    few = sample(
        Leaderboard(), islice(scores(), 200), Shape(actions=1e7), count=20, archive_seconds=10
    )
    return {
        "walls": walls_table,
        "sweeps": lambda: sweeps_table(few),
        "sharded": sharded_table,
    }


def tables() -> dict[str, Callable[[], Iterable[Row]]]:
    """All tables, by the name that they have in the page."""
    return {"machine": machine_table, "noisy": noisy_table, **cheap_tables()}


def markdown(rows: Iterable[Row]) -> str:
    """Rows as a table; the first one has its headers."""
    header, *rest = rows
    lines = [header, ["---"] * len(header), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def put(page: str, name: str, table: str) -> str:
    """The page with a table in its place.

    Raises:
        LookupError: It has no such place.
    """
    place_ = re.compile(f"(<!-- table: {name} -->\n\n).*?(<!-- end -->)", re.DOTALL)
    if not place_.search(page):
        raise LookupError(f"{PAGE} has no place for the table {name}")
    return place_.sub(lambda found: f"{found[1]}{table}\n{found[2]}", page)


def _quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return values[max(0, ceil(share * len(values)) - 1)]


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:,.0f} s"


def main(words: Sequence[str]) -> None:
    """Print all tables; with ``--write``, put them into the page."""
    made = {name: markdown(table()) for name, table in tables().items()}
    for name, table in made.items():
        sys.stdout.write(f"{name}\n\n{table}\n")
    if "--write" in words:
        page = PAGE.read_text(encoding="utf-8")
        for name, table in made.items():
            page = put(page, name, table)
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
