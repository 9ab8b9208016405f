"""How often things happen in a month, and what they take."""

from __future__ import annotations

from math import ceil, exp

from blockfold.application.cost import settings
from blockfold.application.cost.usage import Usage
from blockfold.application.cost.workload import SECONDS, Workload
from blockfold.application.side_by_side import FEW, MACHINES

SHARD_UNITS = 1_000
"""Write units a second that a partition of the Blocks table takes, and a shard of its stream with
it."""


class Month:
    """How often what happens in a month.

    Args:
        workload: The month.

    Attributes:
        of: The same.
        messages: Messages.
        invocations: Of the executor.
        blocks: Blocks.
        shards: Shards of the Blocks table's stream.
        announcements: Invocations of the announcer.
        announced: Settings that it reads: those of each machine in each batch.
        shipments: Invocations of the archiver.
        segments: What it stores.
        snapshots: Snapshots.
        dumper: What they take.
        sweep: What a run of the hourly sweep takes.
        swept: The share of the machines that it gets through.
        prune: What a run of the daily sweep takes.
        pruned: Likewise.
    """

    def __init__(self, workload: Workload) -> None:
        self.of = workload
        shape, counts = workload.shape, workload.counts
        self.messages = counts.messages * workload.scale
        self.invocations = counts.invocations * workload.scale
        self.blocks = counts.blocks * workload.scale
        self.busy = shape.busy
        log_rate = counts.executor.log_units * workload.scale / self.busy
        self.shards = max(1, ceil(log_rate / SHARD_UNITS))
        lanes = self.shards * settings.LANES
        self.announcements = max(
            self._gathered(self.blocks, settings.POLL_SECONDS, lanes),
            self.blocks / settings.ANNOUNCED,
        )
        self.announced = self._gathered(self.blocks, settings.POLL_SECONDS, shape.machines)
        window = max(workload.archive_seconds, settings.POLL_SECONDS)
        self.shipments = max(
            self._gathered(self.blocks, window, self.shards), self.blocks / settings.SHIPPED
        )
        # A window that is full before its time is one more segment for who has blocks in it.
        self.segments = max(
            self._gathered(self.blocks, window, shape.machines), self.blocks / settings.SHIPPED
        )
        self.snapshots = self.blocks / workload.count if workload.count else 0.0
        self.dumper = self._dumper()
        # Of all machines, as far as a run gets.
        self.sweep, self.swept = self._run(counts.sweep)
        self.prune, self.pruned = self._run(self._prune())

    def _gathered(self, things: float, window: float, places: int) -> float:
        """Batches, if things come by chance to places that each gather them for a window."""
        rate = things / places / self.busy
        return places * self.busy / window * (1 - exp(-rate * window))

    def _dumper(self) -> Usage:
        """What snapshots take: more blocks between them are more to read, not more to write."""
        counts = self.of.counts
        if not counts.snapshots or not self.snapshots:
            return Usage()
        each = counts.dumper * (1 / counts.snapshots)
        longer = max(1.0, self.of.count / counts.step)
        more = Usage(read_units=each.read_units, gets=each.gets) * (longer - 1)
        return (each + more) * self.snapshots

    @property
    def manifests(self) -> float:
        """Snapshots of a machine that are kept."""
        return self.snapshots / self.of.shape.machines * self.of.months

    def _prune(self) -> Usage:
        """What the daily sweep takes for a machine: it reads each of its manifests."""
        counts = self.of.counts
        more = max(0.0, self.manifests - counts.snapshots)
        return counts.prune + Usage(gets=more, calls=more)

    @property
    def at_once(self) -> int:
        """Machines that a sweep looks at at once."""
        machines = self.of.shape.machines
        return MACHINES if machines > FEW else 1

    def _run(self, each: Usage) -> tuple[Usage, float]:
        """What one run of a sweep takes, and the share of the machines that it gets through."""
        whole = each * self.of.shape.machines
        seconds = self.of.shape.timing.of(whole) / self.at_once
        share = min(1.0, settings.FUNCTION_MINUTES * 60 / seconds) if seconds else 1.0
        return whole * share, share

    def starts(self, requests: float, seconds: float) -> float:
        """Cold starts: of environments that grow too old, or that nothing came to for long."""
        timing = self.of.shape.timing
        if not requests:
            return 0.0
        environments = max(1.0, seconds / self.busy)
        quiet = exp(-requests / self.busy * timing.idle / environments)
        return min(requests, environments * self.busy / timing.lives + requests * quiet)

    @property
    def table_months(self) -> float:
        """Months of blocks that the table holds."""
        days = self.of.table_days
        if days is None:
            return self.of.months
        # DynamoDB's time to live deletes them a day later or more.
        return min(self.of.months, (days + 2) * 86_400 / SECONDS)
