"""What a machine starts from: the newest snapshot and the log behind it, or what there is."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.errors import Corrupted, NotFound, Refused
from blockfold.domain.keys import manifest_key, segment_key
from blockfold.recorders import MemoryRecorder, Snapshot
from blockfold.recorders.protocol import Frame
from blockfold.runtime import MemoryChannel, Runtime
from tests.machines_for_tests import Cells
from tests.runtime.worlds import MACHINE, Plain, cells, grow, put


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore()


def kept(objects: MemoryObjectStore, machine: str = MACHINE) -> MemoryRecorder:
    return MemoryRecorder(machine, objects=objects)


def recorded(objects: MemoryObjectStore, blocks: int, *snapshots: int) -> str:
    """Record so many blocks, with snapshots of some; the digest at the end."""
    recorder = kept(objects)
    runtime = cells(recorder=recorder).start()
    for number in range(1, blocks + 1):
        grow(runtime, [number])
        if number in snapshots:
            recorder.create_snapshot()
    recorder.flush()
    return runtime.digest  # and the process dies: it is not stopped


def test_from_the_newest_snapshot_and_the_blocks_behind_it(
    objects: MemoryObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    digest = recorded(objects, 9, 3, 6)
    with caplog.at_level(logging.INFO, "blockfold"), cells(recorder=kept(objects)) as runtime:
        booted = runtime.booted
        assert (booted.source, booted.snapshot, booted.blocks) == ("snapshot", 6, 3)
        assert str(booted) == "from the snapshot of block 6 and 3 blocks"
        assert "machine m starts from the snapshot of block 6 and 3 blocks" in caplog.text
        assert runtime.digest == digest
        assert runtime.verify().findings == []
        assert len(runtime.frames) == 10
        assert runtime.at(block=2).state == {"key/1": 1, "key/2": 2}
        assert put(runtime, "k", 1).number == 10
        assert runtime.undo().number == 11
        assert runtime.digest == digest
        assert runtime.verify().findings == []


def test_from_the_log_alone(objects: MemoryObjectStore) -> None:
    digest = recorded(objects, 5)
    with cells(recorder=kept(objects)) as runtime:
        assert (runtime.booted.source, runtime.booted.blocks) == ("log", 5)
        assert str(runtime.booted) == "from 5 blocks, without a snapshot"
        assert runtime.digest == digest
        assert runtime.verify().findings == []


def test_from_genesis_if_nothing_is_there(objects: MemoryObjectStore) -> None:
    with cells(recorder=kept(objects)) as runtime:
        assert str(runtime.booted) == "from genesis"
        assert (runtime.head.number, list(runtime.blocks())) == (0, [])
        assert [frame.action for frame in runtime] == [None]
    assert list(objects.list("")) == []


def test_a_damaged_snapshot_is_passed_over_for_an_older_one_or_the_log(
    objects: MemoryObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    digest = recorded(objects, 9, 3, 6)
    objects.replace(manifest_key(MACHINE, 6), b"{")
    with cells(recorder=kept(objects)) as runtime:
        assert (runtime.booted.snapshot, runtime.booted.passed) == (3, (6,))
        assert "damaged snapshots were passed over: 6" in str(runtime.booted)
        assert runtime.digest == digest
    assert "was passed over" in caplog.text


def test_with_all_snapshots_damaged_the_log_is_enough(objects: MemoryObjectStore) -> None:
    digest = recorded(objects, 9, 3, 6)
    for number in (3, 6):
        objects.replace(manifest_key(MACHINE, number), b"{")
    runtime = cells(recorder=kept(objects)).start()
    assert (runtime.booted.source, runtime.booted.passed) == ("log", (6, 3))
    assert runtime.digest == digest


def test_a_damaged_log_is_an_error(objects: MemoryObjectStore) -> None:
    recorded(objects, 9)
    (segment,) = ObjectArchive(objects).segments(MACHINE)
    key = segment_key(MACHINE, segment.first, segment.last, 0, segment.hash)
    objects.replace(key, objects.get(key)[:-20])  # type: ignore[index]
    with pytest.raises(Corrupted):
        cells(recorder=kept(objects)).start()


def test_a_hole_in_the_log_is_an_error(objects: MemoryObjectStore) -> None:
    recorder = kept(objects)
    runtime = cells(recorder=recorder).start()
    for number in range(6):
        grow(runtime, [number])
        recorder.flush()
    segments = ObjectArchive(objects).segments(MACHINE)
    objects.delete([segments[2].key])
    with pytest.raises(Corrupted, match="lacks blocks 3 to 3"):
        cells(recorder=kept(objects)).start()


def test_what_was_not_recorded_is_not_there(objects: MemoryObjectStore) -> None:
    recorded(objects, 4)
    grow(cells(recorder=kept(objects)).start(), range(3))
    with cells(recorder=kept(objects)) as runtime:
        assert runtime.head.number == 4


def test_dumper_settings_are_kept_with_the_log(objects: MemoryObjectStore) -> None:
    with cells(recorder=kept(objects), count=5) as runtime:
        assert (runtime.dumper.status().running, runtime.dumper.status().count) == (False, 5)
        put(runtime, "k", 0)
        runtime.dumper.set_count(2)
        grow(runtime, range(4))
        assert kept(objects).get_snapshots() == [2, 4]
    with cells(recorder=kept(objects)) as runtime:
        assert (runtime.dumper.status().running, runtime.dumper.status().count) == (True, 2)
        grow(runtime, range(3))
        assert kept(objects).get_snapshots() == [2, 4, 5, 6, 8]
        assert runtime.verify().findings == []


# -- recorders that users write --------------------------------------------------------------------


def test_a_plain_recorder_gives_back_its_newest_snapshot() -> None:
    recorder = Plain()
    with cells(recorder=recorder) as runtime:
        grow(runtime, range(7))
        digest, state = runtime.digest, dict(runtime.state)
    assert recorder.get_snapshots() == [7]
    with cells(recorder=recorder) as runtime:
        assert (runtime.booted.source, runtime.booted.snapshot, runtime.booted.first) == (
            "snapshot",
            7,
            7,
        )
        assert (runtime.digest, dict(runtime.state)) == (digest, state)
        assert len(runtime.frames) == 1
        assert runtime.frames[0].state == state
        grow(runtime, [8, 9])
        assert [frame.number for frame in runtime] == [7, 8, 9]
        assert [block.number for block in runtime.blocks()] == [7, 8, 9]
        runtime.undo()
        runtime.undo()
        assert runtime.state == state
        with pytest.raises(Refused, match="nothing to undo"):
            runtime.undo()
        with pytest.raises(NotFound, match="no blocks before 7") as caught:
            runtime.at(block=3)
        assert caught.value.hint == "its blocks are 7 to 11"
        with pytest.raises(NotFound, match="no blocks before 7"):
            runtime.restore(6)
        assert runtime.verify().ok
        assert runtime.verify().blocks == 4
        assert runtime.replay().blocks == 4
    with cells(recorder=recorder) as runtime:
        assert runtime.booted.snapshot == 11


def test_a_plain_recorder_is_told_of_every_frame_in_order() -> None:
    recorder = Plain()
    with cells(recorder=recorder) as runtime:
        put(runtime, "a", 1)
        put(runtime, "b", 2)
        runtime.undo()
    assert recorder.told == [
        (0, 0, None, {}),
        (1, 1, "run", {"a": 1}),
        (2, 1, "run", {"a": 1, "b": 2}),
        (3, 0, None, {"a": 1}),
    ]


def test_a_recorder_that_is_only_told_is_enough() -> None:
    @dataclass
    class Told:
        numbers: list[int]

        def after_dispatch(self, frame: Frame) -> None:
            self.numbers.append(frame.number)

    recorder = Told([])
    runtime = cells(recorder=recorder)
    with runtime:
        put(runtime, "a", 1)
    with runtime:
        assert runtime.booted.source == "genesis"
        put(runtime, "a", 2)
        assert runtime.state == {"a": 2}
    assert recorder.numbers == [0, 1, 0, 1]


def test_a_damaged_snapshot_of_a_plain_recorder_is_an_error() -> None:
    recorder = Plain()
    with cells(recorder=recorder) as runtime:
        put(runtime, "a", 1)
    recorder.kept[1] = recorder.kept[1].replace(b'"a":1', b'"a":2')
    with pytest.raises(Corrupted):
        cells(recorder=recorder).start()


def test_the_snapshot_of_another_machine_is_an_error() -> None:
    recorder = Plain()
    with cells("other", recorder=recorder) as runtime:
        put(runtime, "a", 1)
    with pytest.raises(Corrupted, match="gave a snapshot of 'other'") as caught:
        cells(recorder=recorder).start()
    assert "start=snapshot" in caught.value.hint


# -- forks -----------------------------------------------------------------------------------------


def test_a_fork_starts_from_a_state_and_names_its_parent(objects: MemoryObjectStore) -> None:
    with cells(recorder=kept(objects)) as runtime:
        grow(runtime, range(6))
        fork = runtime.fork("fork", 4, recorder=kept(objects, "fork"))
        assert fork.state == runtime.at(block=4).state
        first = next(fork.blocks())
        assert first.body.origin is not None
        assert first.body.origin.text == "fork of m 4"
        assert first.body.origin.hash == next(runtime.blocks(4, 4)).hash
        put(fork, "only", "here")
        assert "only" not in runtime.state
        assert fork.verify().findings == []
        fork.stop()
        state = dict(fork.state)
    with cells("fork", recorder=kept(objects, "fork")) as again:
        assert again.state == state
        assert again.at(block=1).state == runtime.at(block=4).state
        assert again.verify().findings == []


def test_a_fork_of_a_snapshot_is_made_once(objects: MemoryObjectStore) -> None:
    with cells() as runtime:
        grow(runtime, range(3))
        snapshot = Snapshot.from_bytes(runtime.snapshot().to_bytes())
        other = runtime.snapshot(2)
    for number in (1, 2):
        with cells("fork", start=snapshot, recorder=kept(objects, "fork")) as fork:
            assert fork.head.number == number
            put(fork, "k", number)
    with pytest.raises(Refused, match="exists already: its recorder knows 3 blocks"):
        cells("fork", start=other, recorder=kept(objects, "fork")).start()
    with pytest.raises(Refused, match="cannot start from a snapshot of itself"):
        cells(start=snapshot).start()


def test_a_fork_reads_its_channel_from_the_beginning() -> None:
    channel = MemoryChannel()
    with cells() as runtime:
        grow(runtime, range(3))
        with runtime.fork("fork", channel=channel) as fork:
            assert put(fork, "k", 1).number == 2


def test_the_restart_of_an_object_that_was_a_fork_goes_on() -> None:
    with cells() as runtime:
        grow(runtime, range(3))
        fork = Runtime(Cells(), "fork", start=runtime.snapshot())
    for number in (2, 3):
        with fork:
            assert put(fork, "k", number).number == number


def test_what_was_brought_back_is_durable_when_the_call_returns(objects: MemoryObjectStore) -> None:
    runtime = cells(recorder=kept(objects)).start()
    grow(runtime, range(3))
    for go in (runtime.undo, runtime.redo, lambda: runtime.restore(0)):
        number = go().number
        again = cells(recorder=kept(objects)).start()
        assert again.head.number == number
        assert again.state == runtime.state
