"""When runs are merged: what a snapshot costs to write against what it costs to read.

A new snapshot adds one generation with what changed. The newest generations are merged while the
next older one has at most `RATIO` times the rows of all newer ones together. Each row is so
written again a bounded number of times, and a reader meets a bounded number of generations.

Over 1,000 snapshots of 1,000 changes each to a state that grows to 1e6 rows, every row is written
5.1 times at `RATIO` 1.5, and a reader meets 5 generations in the median, 9 at most; at 2.0 it is
7.3 times, 4 and 7 (``python -m bench.levels`` prints the curve).
"""

from __future__ import annotations

from collections.abc import Sequence

RATIO = 1.5

MOST_GENERATIONS = 9
"""A point read needs the manifest and at most one file of each generation: ten GETs."""


def merged(rows: Sequence[int], most: int | None = None, *, ratio: float = RATIO) -> int:
    """How many of the newest generations become one.

    Args:
        rows: Rows of each generation, oldest first, the new one last.
        most: Rows that may be merged at most, because time is short; what is put off is merged
            with a following snapshot. None is no bound.
        ratio: How many times the rows of all newer generations the next older one may have.

    Returns:
        At least 1: the new generation by itself.
    """
    count, total = 1, rows[-1]
    best = 1
    while count < len(rows):
        older = rows[-count - 1]
        if older > ratio * total and len(rows) - count < MOST_GENERATIONS:
            break
        total += older
        count += 1
        if most is None or total <= most:
            best = count
    return best
