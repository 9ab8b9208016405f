"""Coming from a dumper engine: each row of the table in docs/coming-from.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockfold import Runtime
from blockfold.recorders import FileRecorder
from machines.forest import Forest


def plant(runtime: Runtime, count: int) -> None:
    for _ in range(count):
        tree = f"t{runtime.head.number + 1}"
        assert runtime.write("plant", tree=tree, species="oak").outcome == "applied"


def recorded(folder: Path) -> FileRecorder:
    """A recorder that makes no snapshots by itself."""
    return FileRecorder(folder, "grove", quiet=None)


def setting(runtime: Runtime) -> tuple[bool, int | None]:
    status = runtime.dumper.status()
    return status.running, status.count


def test_initialised_with_a_count_it_does_not_start(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    with Runtime(Forest, recorder=recorder, count=2) as runtime:
        plant(runtime, 4)
        assert setting(runtime) == (False, 2)
        assert recorder.get_snapshots() == []


def test_start_runs_with_the_stored_count(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    with Runtime(Forest, recorder=recorder, count=2) as runtime:
        runtime.dumper.start()
        assert not runtime.dumper.start().changed
        plant(runtime, 5)
        assert setting(runtime) == (True, 2)
        assert recorder.get_snapshots() == [2, 4]


def test_start_without_a_count_stays_off(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    with Runtime(Forest, recorder=recorder) as runtime:
        status = runtime.dumper.start()
        assert (status.running, status.count, status.changed) == (False, None, False)
        assert "set_count" in (status.reason or "")


def test_stop_keeps_the_count(tmp_path: Path) -> None:
    with Runtime(Forest, recorder=recorded(tmp_path)) as runtime:
        runtime.dumper.set_count(3)
        runtime.dumper.stop()
        assert setting(runtime) == (False, 3)
        runtime.dumper.start()
        assert setting(runtime) == (True, 3)


def test_set_count_starts_also_when_stopped(tmp_path: Path) -> None:
    with Runtime(Forest, recorder=recorded(tmp_path), count=5) as runtime:
        assert runtime.dumper.set_count(2).changed
        assert setting(runtime) == (True, 2)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True])
def test_what_is_no_count_changes_nothing(tmp_path: Path, count: object) -> None:
    with Runtime(Forest, recorder=recorded(tmp_path), count=5) as runtime:
        status = runtime.dumper.set_count(count)
        assert (status.running, status.count, status.changed) == (False, 5, False)
        assert status.reason


def test_nil_clears_count_and_task(tmp_path: Path) -> None:
    with Runtime(Forest, recorder=recorded(tmp_path)) as runtime:
        runtime.dumper.set_count(3)
        runtime.dumper.set_count(None)
        assert setting(runtime) == (False, None)


def test_the_first_block_is_1_and_multiples_are_dumped(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    with Runtime(Forest, recorder=recorder) as runtime:
        runtime.dumper.set_count(1)
        plant(runtime, 1)
        runtime.dumper.set_count(3)
        plant(runtime, 7)
        assert recorder.get_snapshots() == [1, 3, 6]


def test_blocks_that_pass_while_stopped_are_not_due(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    with Runtime(Forest, recorder=recorder) as runtime:
        runtime.dumper.set_count(2)
        plant(runtime, 2)
        runtime.dumper.stop()
        plant(runtime, 3)
        runtime.dumper.start()
        plant(runtime, 1)
        assert recorder.get_snapshots() == [2, 6]
        runtime.dumper.dump(at=4)
        assert recorder.get_snapshots() == [2, 4, 6]


def test_no_path_is_overwritten_and_the_state_is_that_of_the_block(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    with Runtime(Forest, recorder=recorder) as runtime:
        plant(runtime, 6)
        runtime.dumper.dump(at=2)
        runtime.dumper.dump(at=5)
        runtime.dumper.dump()
        for number in (2, 5, 6):
            found = recorder.load_snapshot(number)
            assert found is not None
            assert len(found.state) == number


def test_it_launches_from_its_dump_and_says_so(tmp_path: Path) -> None:
    with Runtime(Forest, recorder=recorded(tmp_path)) as runtime:
        assert str(runtime.booted) == "from genesis"
        plant(runtime, 3)
        runtime.dumper.dump()
        plant(runtime, 1)
    with Runtime(Forest, recorder=recorded(tmp_path)) as runtime:
        assert runtime.booted.source == "snapshot"
        assert len(runtime.state) == 4


def test_a_dump_is_launched_under_another_name(tmp_path: Path) -> None:
    with Runtime(Forest, recorder=recorded(tmp_path)) as runtime:
        plant(runtime, 3)
        runtime.dumper.dump(at=2)
    snapshot = recorded(tmp_path).load_snapshot(2)
    with Runtime(Forest, "other", start=snapshot) as other:
        assert len(other.state) == 2
        assert other.write("cut", tree="t1").outcome == "applied"
        assert other.head.number == 2
        origin = next(other.blocks(1, 1)).body.origin
        assert origin is not None
        assert (origin.machine, origin.number) == ("grove", 2)
