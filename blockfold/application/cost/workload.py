"""What is to be paid for: how many actions of how many machines, and how they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from blockfold.application.cost.usage import Counts, Usage
from blockfold.domain.errors import Misconfigured

HOURS = 730
"""Of a month, as AWS's price pages count."""

SECONDS = HOURS * 3600

MESSAGES = 10
"""The most that a FIFO event source hands over at once (`infra.executor`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds: what Lambda bills, and how many messages gather meanwhile.

    Attributes:
        invoke: The handler without its work: parsing, sorting out, log lines. Measured: 0.3 ms;
            and Lambda bills whole milliseconds.
        deliver: From the end of one invocation for a group to the begin of the next: the queue's
            lock is released, a poller receives, Lambda invokes. From memory, not measured.
        action: One action: validated, executed, encoded, its digest. Measured: 43 µs with its
            message, if it is alone in it; some 25 µs if it is not.
        call: A request to DynamoDB with its answer; single-digit milliseconds, as AWS says.
        client: boto3's own time for a request, in which nothing else is done. Measured.
        statement: A write in a batch, boto3 included. Measured: 40 to 70 µs.
        store: A request to S3. From memory.
        publish: A request to EventBridge. From memory.
        block: A block that came by the stream: 25 µs to decode one of ten actions, measured; the
            rest is for its event or its line.
        start: A cold start, which is billed: Python, boto3, the asset. From memory, and more
            than the imports take by themselves (`python -m bench.cold_start`).
        lives: How long Lambda keeps an environment that is in use. From memory.
        idle: How long it keeps one that is not. From memory.
    """

    invoke: float = 0.001
    deliver: float = 0.020
    action: float = 40e-6
    call: float = 0.006
    client: float = 0.00057
    statement: float = 55e-6
    store: float = 0.030
    publish: float = 0.020
    block: float = 0.0001
    start: float = 0.5
    lives: float = 7200.0
    idle: float = 600.0

    def of(self, usage: Usage) -> float:
        """Seconds that requests take, one after the other."""
        stored = usage.puts + usage.gets
        return (
            usage.calls * (self.call + self.client)
            + stored * (self.store - self.call)
            + usage.statements * self.statement
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How actions come.

    Attributes:
        actions: Actions a month, of all machines.
        machines: Machines, each with the same share.
        per_message: Actions of a message.
        per_invocation: Messages of one machine that an invocation gets; None: as many as gather
            while the one before is at work.
        peak: They come this many times as fast as they would by the average, in a time that is as
            much shorter.
        producer: They come from an idempotent producer, whose counter is a row of its own.
        timing: How long things take.
    """

    actions: float
    machines: int = 1
    per_message: int = 1
    per_invocation: int | None = None
    peak: float = 1.0
    producer: bool = False
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        """Check the figures.

        Raises:
            Misconfigured: One of them cannot be.
        """
        _at_least("actions", self.actions, 1)
        _at_least("machines", self.machines, 1)
        _at_least("actions of a message", self.per_message, 1)
        _at_least("the peak", self.peak, 1)
        if self.per_invocation is not None and not 1 <= self.per_invocation <= MESSAGES:
            raise Misconfigured(
                f"an invocation gets 1 to {MESSAGES} messages, not {self.per_invocation}",
                hint="Lambda takes no more of a FIFO queue; pack more actions into a message",
            )

    @property
    def busy(self) -> float:
        """Seconds of a month in which actions come."""
        return SECONDS / self.peak

    @property
    def rate(self) -> float:
        """Messages of one machine a second, while they come."""
        return self.actions / self.per_message / self.machines / self.busy

    @property
    def batch(self) -> int:
        """Messages of one machine that an invocation gets."""
        if self.per_invocation is not None:
            return self.per_invocation
        each = self.turnaround(2) - self.turnaround(1)
        alone = self.turnaround(0)
        if self.rate * each >= 1:
            return MESSAGES
        return max(1, min(MESSAGES, int(self.rate * alone / (1 - self.rate * each))))

    @property
    def gap(self) -> float:
        """Seconds from one invocation for a machine to the next."""
        return self.batch / self.rate

    @property
    def most(self) -> float:
        """Messages of one machine a second that can be executed at all."""
        return MESSAGES / self.turnaround(MESSAGES)

    @property
    def environments(self) -> int:
        """Executors at work at once, while actions come: their rate, times how long each takes.

        A machine is in the hands of one at a time.
        """
        duration = self.turnaround(self.batch) - self.timing.deliver
        return max(1, min(self.machines, ceil(self.machines / self.gap * duration)))

    def turnaround(self, messages: int) -> float:
        """Seconds from one invocation for a machine to the next, if messages wait: about that."""
        timing, actions = self.timing, messages * self.per_message
        calls = 3 + actions / 25  # the put, the state in batches of 25, the record
        work = actions * (timing.action + timing.statement) + calls * (timing.call + timing.client)
        return timing.deliver + timing.invoke + work


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A month to be paid for.

    Attributes:
        shape: How actions come.
        counts: What a sample of one machine took, executed in this shape.
        count: Blocks from one snapshot to the next; 0 for none.
        reads: Exact reads of one key, a month.
        months: Months of history that are stored.
        table_days: Days after which blocks leave the table; None keeps them as long as the rest.
        archive_seconds: How long blocks gather for the archive (context ``archive_seconds``).
        per_request: Messages that a producer sends with one request, 1 to 10.
    """

    shape: Shape
    counts: Counts
    count: int = 100
    reads: float = 0
    months: float = 1
    table_days: float | None = None
    archive_seconds: int = 10
    per_request: int = 1

    def __post_init__(self) -> None:
        """Check the figures.

        Raises:
            Misconfigured: One of them cannot be.
        """
        _at_least("the count", self.count, 0)
        _at_least("reads", self.reads, 0)
        _at_least("months", self.months, 0)
        _at_least("archive seconds", self.archive_seconds, 0)
        if not 1 <= self.per_request <= MESSAGES:
            raise Misconfigured(f"a request sends 1 to {MESSAGES} messages, not {self.per_request}")

    @property
    def scale(self) -> float:
        """How many times the sample a month is."""
        return self.shape.actions / self.counts.actions


def _at_least(what: str, value: float, least: float) -> None:
    if not value >= least:
        raise Misconfigured(f"{what} must be at least {least:g}, not {value:g}")
