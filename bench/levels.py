"""Write amplification against generations read, over the merge ratio: the curve behind `RATIO`.

``python -m bench.levels`` simulates 1,000 snapshots of 1,000 changes each, in rows. ``growing``
adds new keys up to 1e6; ``random`` changes keys drawn from 1e6.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from blockfold.domain import levels

SNAPSHOTS = 1_000
CHANGES = 1_000
UNIVERSE = SNAPSHOTS * CHANGES
RATIOS = (1.0, 1.25, 1.5, 1.75, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a policy costs: rows written for each row changed, and generations that a read meets."""

    written: float
    most: int
    median: float


def growing(snapshot: int) -> set[int]:
    """The keys of a snapshot that are new, all of them."""
    return set(range(snapshot * CHANGES, (snapshot + 1) * CHANGES))


def random(snapshot: int) -> set[int]:
    """Keys drawn at random; the same for every ratio."""
    draw = Random(snapshot)  # noqa: S311 - a simulation
    return {draw.randrange(UNIVERSE) for _ in range(CHANGES)}


def simulate(ratio: float, changed: Callable[[int], set[int]]) -> Cost:
    """Snapshot after snapshot, with `levels.merged` at a ratio."""
    generations: list[set[int]] = []
    written = changes = 0
    counts: list[int] = []
    for snapshot in range(SNAPSHOTS):
        delta = changed(snapshot)
        changes += len(delta)
        generations.append(delta)
        count = levels.merged([len(each) for each in generations], ratio=ratio)
        generations[-count:] = [set().union(*generations[-count:])]
        written += len(generations[-1])
        counts.append(len(generations))
    return Cost(written / changes, max(counts), statistics.median(counts))


def main() -> None:
    """Print the curve."""
    sys.stdout.write("ratio     growing: written  most  median     random: written  most  median\n")
    for ratio in RATIOS:
        cells = [simulate(ratio, changed) for changed in (growing, random)]
        text = "".join(
            f"{cell.written:>17.2f} {cell.most:>5} {cell.median:>7.0f}  " for cell in cells
        )
        mark = "  chosen" if ratio == levels.RATIO else ""
        sys.stdout.write(f"{ratio:>5.2f} {text}{mark}\n")


if __name__ == "__main__":
    main()
