"""How far a restore is: what its machine's record notes, weighed by the snapshot's runs."""

from __future__ import annotations

from dataclasses import dataclass

from blockfold.application.history import origin_manifest
from blockfold.domain.block import Block
from blockfold.domain.manifest import Manifest, Run
from blockfold.domain.spans import FIRST, LAST, Span, covered, gaps
from blockfold.ports import Machines, SnapshotStore

NEARLY = 0.99
"""The most that is told of a restore before its block counts as flushed: keys behind the last of
the snapshot may have to go yet."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A restore that is under way.

    Attributes:
        machine: The machine's id.
        number: The restore, fork or import block.
        rows: Entries of the state that it brings.
        share: How much of it the state table holds, from 0 to 1, to a file of the snapshot.
    """

    machine: str
    number: int
    rows: int
    share: float


def progress(machines: Machines, snapshots: SnapshotStore, block: Block) -> Progress:
    """How far the state table is on its way to a restore block.

    Raises:
        Corrupted: The snapshot that the block names is damaged.
    """
    manifest = origin_manifest(snapshots, block)
    record = machines.get(block.machine)
    flushed = record.flushed if record else 0
    noted = record.restoring if record else None
    spans = noted.spans if noted is not None and noted.number == block.number else ()
    share = 1.0 if flushed >= block.number else _share(manifest, spans)
    return Progress(block.machine, block.number, manifest.rows, share)


def spans_of(manifest: Manifest, most: int) -> list[Span]:
    """The key space in at most so many pieces of about as many rows each.

    The pieces begin and end with files of the snapshot, so that none is read twice.
    """
    largest = max(manifest.generations, key=_rows, default=[])
    each = max(1, -(-_rows(largest) // most))
    spans: list[Span] = []
    start, rows = FIRST, 0
    for run in largest[:-1]:
        rows += run.rows
        if rows >= each:
            spans.append((start, run.last))
            start, rows = run.last, 0
    return [*spans, (start, LAST)]


def _share(manifest: Manifest, spans: tuple[Span, ...]) -> float:
    """The rows of files that are done; of a file that a gap begins in, half."""
    rows = _rows(manifest.runs)
    if not spans or not rows:
        return 0.0
    done = 0.0
    starts = [gap.after for gap in gaps(spans)]
    for run in manifest.runs:
        if covered(spans, run.first, run.last):
            done += run.rows
        elif any(run.first <= start < run.last for start in starts):
            done += run.rows / 2
    return min(done / rows, NEARLY)


def _rows(runs: tuple[Run, ...] | list[Run]) -> int:
    return sum(run.rows for run in runs)
