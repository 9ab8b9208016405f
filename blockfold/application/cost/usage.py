"""What work takes of AWS, in the units that are billed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some work takes, counted by AWS's rules (`blockfold.domain.units`).

    Attributes:
        log_units: Write units on the Blocks table.
        state_units: Write units on the State table.
        machine_units: Write units on the Machines table.
        read_units: Read units on all tables.
        puts: PUT and LIST requests to S3.
        gets: GET and HEAD requests to S3.
        statements: Writes in batches to the State table.
        calls: Requests that wait for an answer, to all services.
    """

    log_units: float = 0
    state_units: float = 0
    machine_units: float = 0
    read_units: float = 0
    puts: float = 0
    gets: float = 0
    statements: float = 0
    calls: float = 0

    @property
    def write_units(self) -> float:
        """Write units on all tables."""
        return self.log_units + self.state_units + self.machine_units

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return _each(lambda name: getattr(self, name) + getattr(other, name))

    def __sub__(self, other: Usage) -> Usage:
        """This without what was counted before."""
        return _each(lambda name: getattr(self, name) - getattr(other, name))

    def __mul__(self, times: float) -> Usage:
        """The same so many times."""
        return _each(lambda name: getattr(self, name) * times)


def _each(value: Callable[[str], float]) -> Usage:
    return Usage(**{each.name: value(each.name) for each in fields(Usage)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a sample of one machine took.

    Attributes:
        actions: Actions that stand in its blocks.
        messages: Messages that brought them.
        invocations: How often the executor was invoked for it.
        blocks: Blocks.
        message_bytes: Bodies and attributes of the messages.
        received: SQS requests that delivering them takes, for each started 64 KB.
        released: Requests for messages that are to come again at once.
        conflicts: Commits that found the number taken.
        executor: What the executor took.
        spilled: Blocks whose body stands in S3.
        events: What the announcer publishes, for each started 64 KB.
        block_bytes: The items in the Blocks table.
        spilled_bytes: The bodies in S3.
        archive_bytes: The archive.
        rows: Rows of the State table at the end.
        row_bytes: Their items.
        record_bytes: The machine's item in the Machines table.
        step: Blocks from one snapshot of the sample to the next.
        snapshots: Snapshots that were made.
        dumper: What they took, with the archive's compaction.
        snapshot_bytes: What they added to the bucket.
        sweep: What the hourly sweep takes for a machine at rest.
        prune: What the daily one takes for a machine that had blocks since.
        read: What an exact read of one key takes.
    """

    actions: int
    messages: int
    invocations: int
    blocks: int
    message_bytes: int
    received: int
    released: int = 0
    conflicts: int = 0
    executor: Usage
    spilled: int = 0
    events: int
    block_bytes: int
    spilled_bytes: int = 0
    archive_bytes: int
    rows: int
    row_bytes: int
    record_bytes: int
    step: int = 0
    snapshots: int = 0
    dumper: Usage = field(default_factory=Usage)
    snapshot_bytes: int = 0
    sweep: Usage = field(default_factory=Usage)
    prune: Usage = field(default_factory=Usage)
    read: Usage = field(default_factory=Usage)
