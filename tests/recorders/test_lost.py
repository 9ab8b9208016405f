"""Who finds that another process records the machine says so each time, until it starts again."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockfold import FileRecorder, ManualClock, Runtime
from blockfold.domain.errors import Refused
from blockfold.runtime import NotRecorded
from tests.runtime.worlds import MACHINE, cells, put

OTHER = "another process has recorded machine 'm'"


def on(folder: Path) -> tuple[Runtime, ManualClock]:
    clock = ManualClock()
    recorder = FileRecorder(folder, MACHINE, clock=clock)
    return cells(recorder=recorder, clock=clock).start(), clock


def test_no_action_is_taken_for_recorded_after_that(tmp_path: Path) -> None:
    first, _ = on(tmp_path)
    second, clock = on(tmp_path)
    put(first, "a", 1)
    first.stop()
    put(second, "b", 1)  # within the quiet period: nobody can know
    clock.advance(10)
    for number in range(3):
        with pytest.raises(NotRecorded, match=OTHER) as caught:
            put(second, "c", number)
        assert "start again" in caught.value.hint
    with pytest.raises(Refused, match=OTHER):
        second.stop()
    second.start()
    assert second.state == {"a": 1}
    assert put(second, "b", 1).number == 2
    second.stop()
    again, _ = on(tmp_path)
    assert again.state == {"a": 1, "b": 1}
    assert again.verify().ok
    again.stop()


def test_also_if_only_a_snapshot_that_was_due_met_it(tmp_path: Path) -> None:
    first, _ = on(tmp_path)
    second, _ = on(tmp_path)
    put(first, "a", 1)
    first.stop()
    second.dumper.set_count(1)
    put(second, "b", 1)  # its snapshot fails, which fails no action
    assert isinstance(second.dumper.trouble, Refused)
    with pytest.raises(NotRecorded, match=OTHER):
        put(second, "b", 2)
    with pytest.raises(Refused, match=OTHER):
        second.stop()
