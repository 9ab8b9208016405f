"""Counts made up by hand, round enough to multiply in the head."""

from __future__ import annotations

from typing import Any

from blockfold.application.cost import Counts, Shape, Usage, Workload

COUNTS = Counts(
    actions=1_000,
    messages=100,
    invocations=100,
    blocks=100,
    message_bytes=100_000,
    received=100,
    executor=Usage(log_units=100, state_units=800, machine_units=100, read_units=10, calls=300),
    events=100,
    block_bytes=100_000,
    archive_bytes=50_000,
    rows=1_000,
    row_bytes=100_000,
    record_bytes=200,
    step=50,
    snapshots=2,
    dumper=Usage(machine_units=4, read_units=60, puts=10, gets=20, calls=60),
    snapshot_bytes=20_000,
    sweep=Usage(read_units=4, calls=6),
    prune=Usage(read_units=3, puts=7, gets=5, calls=15),
    read=Usage(read_units=3, calls=3),
)


def workload(actions: float = 1e6, *, counts: Counts = COUNTS, **figures: Any) -> Workload:
    """A month of them, ten actions a message and a message an invocation."""
    shaped = {name: figures.pop(name) for name in ("machines", "peak") if name in figures}
    shape = Shape(actions=actions, per_message=10, per_invocation=1, **shaped)
    return Workload(shape=shape, counts=counts, **figures)
