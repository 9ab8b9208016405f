"""How many messages a second each quota allows, for one machine, a thousand and a million.

Quotas are AWS's defaults in us-east-1; `docs/scaling.md` names the pages. Times are those of the
estimate of cost (`blockfold.application.cost.Timing`), of which some are not measured: take the
figures for their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from blockfold.application.cost import Shape, Timing, Usage, settings
from blockfold.application.side_by_side import MACHINES

SIZES = (1, 1_000, 1_000_000)
"""Machines."""

SQS_REQUESTS = 70_000
"""A second, for each of send, receive and delete, of all queues in high-throughput mode."""

GROUP_REQUESTS = 300
"""A second, likewise, of the partition that holds a group."""

CONCURRENCY = 1_000
PER_ENVIRONMENT = 10
"""Invocations a second for each environment that the account may have."""

TABLE_UNITS = 40_000
"""Write units a second of a table on demand."""

FIRST_UNITS = 4_000
"""The same of a new one."""

PARTITION_UNITS = 1_000

PUT_EVENTS = 10_000
EVENTS = 10
"""Entries of a PutEvents."""

PREFIX_PUTS = 3_500
"""A second, below a prefix that S3 has not split yet."""

FUNCTION_SECONDS = 14 * 60
"""What a function of 15 minutes uses."""

STATEMENTS = 25

S3_CLIENT = 0.0018
"""Seconds of CPU for a request to S3 by boto3 and a manifest of five runs. Measured on one core:
1.75 ms with 16 threads or more, 2.8 ms with one."""

PLAN_SHARE = 2
"""Of how many parts of a run of the pruner one is for making a plan."""


@dataclass(frozen=True, slots=True)
class Wall:
    """What stands in the way.

    Attributes:
        what: The quota, or the part that takes its time.
        limits: Messages a second of all machines together, by how many machines there are.
        removed: What removes it.
    """

    what: str
    limits: tuple[float, ...]
    removed: str


def walls(units: float, timing: Timing | None = None) -> list[Wall]:
    """What limits messages of one action each, evenly spread over machines.

    Args:
        units: Write units of the State table for a message.
        timing: How long things take.
    """
    timing = timing or Timing()
    shape = Shape(actions=1, timing=timing)
    busy = shape.turnaround(1) - timing.deliver
    get = timing.call + timing.client
    announced = timing.publish / EVENTS + timing.block

    def announcer(machines: int) -> float:
        return _shards(machines) * settings.LANES / (announced + get / settings.ANNOUNCED)

    def archiver(machines: int) -> float:
        segments = min(settings.SHIPPED, machines / _shards(machines))
        seconds = max(1.0, segments / settings.PUT_LANES) * timing.store
        return _shards(machines) * settings.SHIPPED / (seconds + settings.SHIPPED * timing.block)

    return [
        Wall(
            "a group: one batch of ten after the other",
            _each(lambda machines: machines * shape.most),
            "more actions in a message; more machines",
        ),
        Wall(
            "SQS: a group's partition, 300 requests",
            _each(lambda machines: machines * GROUP_REQUESTS),
            "ten messages a request; more actions in a message",
        ),
        Wall(
            f"SQS: {SQS_REQUESTS:,} requests",
            _each(lambda _: SQS_REQUESTS),
            "ten messages a request; a higher quota",
        ),
        Wall(
            f"Lambda: {CONCURRENCY * PER_ENVIRONMENT:,} invocations",
            _each(lambda machines: inf if machines == 1 else CONCURRENCY * PER_ENVIRONMENT),
            "a higher quota",
        ),
        Wall(
            f"Lambda: {CONCURRENCY:,} at once",
            _each(lambda machines: inf if machines == 1 else CONCURRENCY / busy),
            "a higher quota",
        ),
        Wall(
            "DynamoDB: a machine's partition of State",
            _each(lambda machines: machines * PARTITION_UNITS / units),
            "DynamoDB splits it by key; fewer keys",
        ),
        Wall(
            f"DynamoDB: a table, {TABLE_UNITS:,} WRU (at first {FIRST_UNITS:,})",
            _each(lambda _: TABLE_UNITS / max(1.0, units)),
            "a higher quota; warm throughput",
        ),
        Wall(
            "announcer: four batches of a shard at once",
            _each(announcer),
            "more lanes",
        ),
        Wall(
            f"EventBridge: {PUT_EVENTS:,} PutEvents",
            _each(lambda _: PUT_EVENTS * EVENTS),
            "a higher quota",
        ),
        Wall(
            "archiver: a segment for each machine and batch",
            _each(archiver),
            "a longer window; more PUTs at once",
        ),
        Wall(
            f"S3: {PREFIX_PUTS:,} PUTs below a prefix",
            # A window gathers a machine's blocks, so few machines need few segments.
            _each(lambda machines: inf if machines < SIZES[-1] else PREFIX_PUTS),
            "S3 splits it, in half an hour or so",
        ),
    ]


def sweepable(usage: Usage, at_once: int = MACHINES, timing: Timing | None = None) -> int:
    """Machines that one run of a sweep gets through; or manifests, of one machine.

    Args:
        usage: What it takes for one.
        at_once: How many are looked at at once: no more than the one core of a function can do.
        timing: How long requests take.
    """
    timing = timing or Timing()
    stored = usage.puts + usage.gets
    busy = (usage.calls - stored) * timing.client + stored * S3_CLIENT
    return int(FUNCTION_SECONDS / max(busy, timing.of(usage) / at_once))


@dataclass(frozen=True, slots=True)
class Sharded:
    """One machine's rows below several partition keys.

    Attributes:
        shards: How many.
        writes: Rows a second that are written.
        few: Read units for a scan of 50 rows.
        many: The same for 100,000.
        seconds: For the first row of a scan, shard after shard.
    """

    shards: int
    writes: float
    few: int
    many: int
    seconds: float


def sharded(shards: int, row: int = 75, timing: Timing | None = None) -> Sharded:
    """What spreading a machine's rows over partition keys would bring, and cost.

    Args:
        shards: Partition keys.
        row: Bytes of a row.
        timing: How long things take.
    """
    timing = timing or Timing()
    request = timing.call + timing.client + STATEMENTS * timing.statement
    return Sharded(
        shards=shards,
        writes=min(shards * PARTITION_UNITS, STATEMENTS / request),
        few=_scanned(50 * row, shards),
        many=_scanned(100_000 * row, shards),
        seconds=shards * (timing.call + timing.client),
    )


def _scanned(size: int, shards: int) -> int:
    """Read units: each shard's pages begin anew."""
    each = -(-size // shards)
    pages, rest = divmod(each, 1024 * 1024)
    return shards * (pages * 256 + -(-rest // 4096))


def _shards(machines: int) -> int:
    """Shards of the Blocks table's stream: a machine is in one; a busy table has many."""
    return min(machines, TABLE_UNITS // PARTITION_UNITS)


def _each(limit: Callable[[int], float]) -> tuple[float, ...]:
    return tuple(limit(machines) for machines in SIZES)
