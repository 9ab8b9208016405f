"""Seeds 1500 to 1999: every law holds. A file of its own, so that workers share the seeds."""

from __future__ import annotations

from tests.simulation.seeds import assert_all_laws


def test_all_laws_hold_under_every_fault() -> None:
    assert_all_laws(range(1500, 2000))
