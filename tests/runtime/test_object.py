"""A machine as a plain object: write, look, stop, start again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from blockfold import Limits, Machine, Runtime
from blockfold.adapters.manual_clock import START, ManualClock
from blockfold.domain.errors import LimitExceeded, Misconfigured, NotFound, Refused
from blockfold.recorders import MemoryRecorder
from blockfold.runtime import MemoryChannel, StateView
from tests.machines_for_tests import Cells, Journal
from tests.runtime.worlds import MACHINE, cells, drop, grow, put, refuse


def test_what_was_written_stands_in_a_block_when_write_returns() -> None:
    with cells() as runtime:
        written = put(runtime, "k", {"a": 1})
        assert (written.status, written.outcome, written.number) == ("done", "applied", 1)
        assert (written.id, written.reason) == ("message-1/0", None)
        assert runtime.state["k"] == {"a": 1}
        assert (runtime.head.number, runtime.digest) == (1, runtime.head.digest)
        assert written.wait(0)


def test_an_action_may_be_given_whole_with_an_id() -> None:
    with cells() as runtime:
        written = runtime.write({"type": "run", "args": {"steps": []}, "id": "mine"})
        assert written.id == "mine"
        assert runtime.frames[1].action == {"type": "run", "args": {"steps": []}, "id": "mine"}


def test_every_outcome_is_told_with_its_reason() -> None:
    with cells() as runtime:
        found = [
            refuse(runtime),
            runtime.write("run", steps=[], end="crash"),
            runtime.write("fly"),
            runtime.write({"type": "run", "wings": 2}),
        ]
        assert [(each.outcome, each.number) for each in found] == [
            ("rejected", 1),
            ("failed", 2),
            ("malformed", 3),
            ("malformed", 4),
        ]
        assert found[0].reason == "as told"
        assert "as told" in (found[1].reason or "")
        assert "unknown field 'wings'" in (found[3].reason or "")
        frames = list(runtime)
        assert frames[-1].action is not None
        assert "wings" in str(frames[-1].action["raw"])
        assert [frame.outcome for frame in frames[1:]] == [each.outcome for each in found]


def test_what_is_no_json_is_not_written() -> None:
    with cells() as runtime:
        with pytest.raises(LimitExceeded, match="set is no JSON"):
            runtime.write("run", steps={1, 2})
        with pytest.raises(Misconfigured, match="not both"):
            runtime.write({"type": "run"}, steps=[])
        assert runtime.head.number == 0


def test_many_actions_are_written_in_order() -> None:
    with cells() as runtime:
        steps = [{"do": "push", "key": "list", "value": number} for number in range(250)]
        found = runtime.write_many([{"type": "run", "args": {"steps": [each]}} for each in steps])
        assert [each.number for each in found] == list(range(1, 251))
        assert runtime.state["list"] == list(range(250))


def test_limits_cut_blocks_as_the_cloud_does() -> None:
    channel = MemoryChannel()
    with cells(channel=channel, limits=Limits()) as runtime:
        for number in range(25):
            channel.send(f'{{"type":"run","args":{{"steps":[{{"do":"set","key":"k{number}"}}]}}}}')
        assert runtime.poll() == 25
        assert [block.actions for block in runtime.blocks()] == [25]
        assert len(runtime.frames) == 26


def test_the_state_is_a_read_only_mapping_in_key_order() -> None:
    with cells() as runtime:
        for key in ("b", "a/2", "a/1", "é", "a/10"):
            put(runtime, key, key)
        drop(runtime, "b")
        state = runtime.state
        assert list(state) == ["a/1", "a/10", "a/2", "é"]
        assert len(state) == 4
        assert "b" not in state
        assert 7 not in state  # type: ignore[comparison-overlap]
        assert state.get("b") is None
        with pytest.raises(KeyError):
            state["b"]
        assert list(state.scan("a/1")) == [("a/1", "a/1"), ("a/10", "a/10")]
        assert list(state.scan("a/", after="a/1")) == [("a/10", "a/10"), ("a/2", "a/2")]
        assert list(state.scan_keys(after="a/2")) == ["é"]
        assert state.get_many(["a/1", "zz"]) == {"a/1": "a/1"}
        assert state == {key: key for key in ("a/1", "a/10", "a/2", "é")}
        assert repr(state).startswith("{'a/1': 'a/1'")
        assert not hasattr(state, "__setitem__")


def test_a_scan_is_of_one_block_whatever_is_written_meanwhile() -> None:
    with cells() as runtime:
        runtime.write(
            "run", steps=[{"do": "set", "key": f"k{n:04}", "value": n} for n in range(900)]
        )
        scan = runtime.state.scan("k")
        first = [next(scan) for _ in range(10)]
        put(runtime, "k0500", "new")
        drop(runtime, "k0700")
        put(runtime, "k0800x", "new")
        assert [*first, *scan] == [(f"k{n:04}", n) for n in range(900)]
        assert len(list(runtime.state.scan("k"))) == 900


def test_values_that_are_read_are_copies() -> None:
    with cells() as runtime:
        put(runtime, "k", [1])
        for state in (runtime.state, runtime.frames[1].state, runtime.cursor().state):
            value = state["k"]
            assert isinstance(value, list)
            value.append(2)
            assert state["k"] == [1]


def test_time_and_sender_are_the_channels() -> None:
    clock, channel = ManualClock(), MemoryChannel("ann")
    with Runtime(Journal, "notes", channel=channel, clock=clock) as runtime:
        clock.advance(1.5)
        runtime.write("note", text="a")
        channel.send('{"type":"note","args":{"text":"b"}}', "bob")
        runtime.poll()
        note = runtime.state["note/000000"]
        assert isinstance(note, dict)
        assert note["time"] == START + 1500
        assert [frame.sender for frame in runtime] == ["", "ann", "bob"]
        assert runtime.at(time=START + 1500).number == 2
        assert runtime.at(time=datetime.fromtimestamp((START + 1600) / 1000, UTC)).number == 2
        with pytest.raises(NotFound, match="no blocks at that time"):
            runtime.at(time="2025-12-31T00:00:00Z")
        with pytest.raises(Misconfigured, match="with a time zone"):
            runtime.at(time=datetime(2026, 1, 1))  # noqa: DTZ001


def test_frames_are_one_an_action_and_one_a_restore() -> None:
    with cells() as runtime:
        grow(runtime, range(3))
        runtime.restore(1)
        put(runtime, "k", 1)
        frames = runtime.frames
        assert len(frames) == 6
        assert [frame.number for frame in frames] == [0, 1, 2, 3, 4, 5]
        assert [frame.action is None for frame in frames] == [
            True,
            False,
            False,
            False,
            True,
            False,
        ]
        assert frames[0].state == {}
        assert frames[4].state == frames[1].state == {"key/0": 0}
        assert frames[4].changes == {"key/1": None, "key/2": None}
        assert frames[-1].state == runtime.state
        assert [frame.number for frame in frames[1:3]] == [1, 2]
        assert frames.index(frames[4]) == 4
        assert runtime.at(frame=2).state == runtime.at(block=2).state
        assert runtime.at(block=0).state == {}
        assert frames[2].snapshot().checked().state == frames[2].state
        with pytest.raises(IndexError, match="frames 0 to 5"):
            frames[6]
        with pytest.raises(ValueError, match="is not among"):
            frames.index("x")
        for wrong in ({}, {"block": 1, "frame": 1}):
            with pytest.raises(Misconfigured, match="exactly one"):
                runtime.at(**wrong)  # type: ignore[arg-type]
        for missing in ({"block": 6}, {"block": -1}, {"frame": 6}):
            with pytest.raises(NotFound):
                runtime.at(**missing)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="no block 0"):
            frames[0].snapshot()


def test_one_object_may_be_stopped_and_started_again() -> None:
    runtime = cells()
    with pytest.raises(Refused, match="was not started"):
        put(runtime, "k", 1)
    with pytest.raises(Refused, match="was not started"):
        runtime.state  # noqa: B018
    runtime.stop()
    assert not runtime.running
    with runtime:
        assert runtime.booted.source == "genesis"
        assert runtime.start() is runtime
        grow(runtime, range(4))
        digest = runtime.digest
    runtime.stop()
    for refused in (lambda: put(runtime, "k", 1), runtime.poll, runtime.undo, runtime.redo):
        with pytest.raises(Refused, match="was stopped") as caught:
            refused()
        assert "start()" in caught.value.hint
    assert runtime.digest == digest
    assert len(runtime.frames) == 5
    with runtime:
        assert (runtime.booted.source, runtime.booted.snapshot, runtime.booted.blocks) == (
            "snapshot",
            4,
            0,
        )
        assert runtime.digest == digest
        assert len(runtime.frames) == 5
        assert put(runtime, "k", 1).number == 5
        assert runtime.verify().findings == []


def test_stopping_drains_what_is_waiting() -> None:
    channel, recorder = MemoryChannel(), MemoryRecorder(MACHINE)
    runtime = cells(channel=channel, recorder=recorder).start()
    for _ in range(150):
        channel.write('{"type":"run","args":{"steps":[{"do":"push","key":"k","value":1}]}}')
    runtime.stop()
    assert runtime.head.number == 150
    assert recorder.get_snapshots() == [150]


def test_the_id_is_the_recorders_or_the_class_name() -> None:
    assert Runtime(Cells()).machine == "cells"
    assert Runtime(Cells, recorder=MemoryRecorder("lab")).machine == "lab"
    with pytest.raises(Misconfigured, match="of machine 'lab', not of 'm'"):
        Runtime(Cells, "m", recorder=MemoryRecorder("lab"))
    with pytest.raises(Misconfigured, match="cannot be a machine id"):
        Runtime(Cells, "two words")


def test_a_wrongly_written_class_is_refused_at_once() -> None:
    from blockfold import action
    from blockfold.domain.errors import DefinitionError

    class Wrong(Machine):
        @action
        def act(self, state) -> None:  # type: ignore[no-untyped-def]
            pass

    with pytest.raises(DefinitionError):
        Runtime(Wrong)


def test_a_writer_alone_is_enough_to_be_read_and_none_is_said() -> None:
    class Nothing:
        consumes = False

        def read(self, most: int, wait: float = 0.0) -> list[object]:
            return []

        def acknowledge(self, messages: object) -> None: ...

        def release(self, messages: object) -> None: ...

    with cells(reader=Nothing()) as runtime, pytest.raises(Refused, match="nowhere to write"):
        put(runtime, "k", 1)
    lost = MemoryChannel()
    with cells(reader=Nothing(), writer=lost, patience=0.0) as runtime:
        written = put(runtime, "k", 1)
        assert (written.status, written.number) == ("sent", None)
        assert not written.wait(0.0)
        assert "sent" in repr(written)


def test_the_live_state_and_that_of_a_frame_are_of_one_kind() -> None:
    with cells() as runtime:
        put(runtime, "k", 1)
        for state in (runtime.state, runtime.frames[1].state, runtime.cursor().state):
            assert isinstance(state, StateView)
