"""All use cases, in the order of the table."""

from __future__ import annotations

from tests.simulation.matrix import (
    cases_blocks,
    cases_reads,
    cases_rebuild,
    cases_redrive,
    cases_restores,
    cases_snapshots,
)

CASES = (
    *cases_blocks.CASES,
    *cases_snapshots.CASES,
    *cases_restores.CASES,
    *cases_rebuild.CASES,
    *cases_redrive.CASES,
    *cases_reads.CASES,
)
