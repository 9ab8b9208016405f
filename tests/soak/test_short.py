"""A short soak: real processes killed and frozen, a restart, every kind of fault; nothing amiss."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.plan import Plan
from tests.soak.proxy import Fault
from tests.soak.soak import soak


@pytest.mark.timeout(900)  # it waits for what must happen, however busy the machine is
def test_a_short_soak_finds_nothing(tmp_path: Path) -> None:
    plan = Plan(
        seconds=6,
        seed=1,
        machines=2,
        producers=1,
        operators=2,
        pause=0.05,
        backlog=30,
        kill_seconds=1.5,
        freeze_seconds=4.0,
    )
    result = soak(plan, tmp_path)
    said = "\n".join(result.lines())
    assert not result.violations, said
    assert {fault for fault, count in result.faults.items() if count} == {*Fault}, said
    for what in ("processes killed", "processes frozen", "restarts of the emulator"):
        assert result.counts[what], said
    assert result.actions > 20, said
