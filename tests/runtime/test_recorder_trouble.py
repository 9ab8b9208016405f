"""A recorder that fails: the action stands in its block, and whoever wrote it is told so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blockfold import Message
from blockfold.domain.errors import Refused, Unavailable
from blockfold.recorders import MemoryRecorder
from blockfold.recorders.protocol import Frame
from blockfold.runtime import MemoryChannel, NotRecorded, session
from tests.runtime.worlds import MACHINE, Plain, cells, grow, put


class Picky(Plain):
    """Fails at chosen blocks, once each."""

    def __init__(self, *numbers: int, error: Exception | None = None) -> None:
        super().__init__()
        self.numbers = set(numbers)
        self.error = error or OSError("the shelf fell down")

    def after_dispatch(self, frame: Frame) -> None:
        super().after_dispatch(frame)
        if frame.number in self.numbers:
            self.numbers.remove(frame.number)
            raise self.error


def test_the_writer_is_told_that_the_action_is_in_a_block() -> None:
    recorder = Picky(2)
    with cells(recorder=recorder) as runtime:
        put(runtime, "a", 1)
        with pytest.raises(NotRecorded, match="stands in block 2 of machine 'm'") as caught:
            put(runtime, "b", 2)
        assert "OSError: the shelf fell down" in str(caught.value)
        assert "do not write it again" in caught.value.hint
        assert isinstance(caught.value, Unavailable)
        assert isinstance(caught.value.__cause__, OSError)
        assert runtime.state == {"a": 1, "b": 2}
        assert put(runtime, "c", 3).number == 3
    assert [told[0] for told in recorder.told] == [0, 1, 2, 3]


def test_each_of_many_writers_is_told_of_its_own() -> None:
    with cells(recorder=Picky(2)) as runtime:
        first, second = (runtime._send('{"type":"run","args":{"steps":[]}}') for _ in "ab")
        runtime.poll()
        assert (first.status, second.status) == ("done", "done")
        assert (first.number, second.number) == (1, 2)
        for written in (first, second):
            with pytest.raises(NotRecorded, match="block 2"):
                written.wait(0)


def test_without_a_writer_to_tell_it_is_raised_to_who_polls_and_nothing_is_lost() -> None:
    channel, recorder = MemoryChannel(), Picky(1, 3, error=Refused("no", hint="never"))
    with cells(channel=channel, recorder=recorder) as runtime:
        for _ in range(4):
            channel.write('{"type":"run","args":{"steps":[]}}')
        with pytest.raises(NotRecorded, match=r"block 1 .* the recorder failed: no \(never\)"):
            runtime.poll()
        assert runtime.head.number == 4
        assert [told[0] for told in recorder.told] == [0, 1]
        with pytest.raises(NotRecorded, match="block 3"):
            put(runtime, "k", 1)
        assert [told[0] for told in recorder.told] == [0, 1, 2, 3]
        put(runtime, "k", 2)
        assert [told[0] for told in recorder.told] == [0, 1, 2, 3, 4, 5, 6]


def test_a_restore_that_could_not_be_recorded_says_so() -> None:
    with cells(recorder=Picky(4)) as runtime:
        grow(runtime, range(3))
        with pytest.raises(NotRecorded, match="block 4"):
            runtime.undo()
        assert len(runtime.state) == 2
        runtime.redo()
        assert len(runtime.state) == 3
        assert runtime.verify().ok


def test_stopping_stops_all_the_same() -> None:
    class Full(Plain):
        def create_snapshot(self) -> int | None:
            raise Unavailable("the disk is full")

    class Channel(MemoryChannel):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    channel = Channel()
    runtime = cells(channel=channel, recorder=Full()).start()
    put(runtime, "k", 1)
    with pytest.raises(Unavailable, match="the disk is full"):
        runtime.stop()
    assert not runtime.running
    assert channel.closed == 1
    runtime.stop()


def test_due_snapshots_that_fail_do_not_keep_actions_back() -> None:
    recorder = MemoryRecorder(MACHINE)
    with cells(recorder=recorder) as runtime:
        runtime.dumper.set_count(2)
        put_new, failing = recorder.objects.put_new, True

        def fails(key: str, data: bytes) -> bool:
            if failing and "/snapshots/" in key:
                raise Unavailable("no snapshots today")
            return put_new(key, data)

        recorder.objects.put_new = fails  # type: ignore[method-assign]
        grow(runtime, range(5))
        assert runtime.head.number == 5
        assert str(runtime.dumper.trouble) == "no snapshots today"
        assert recorder.get_snapshots() == []
        failing = False
        put(runtime, "k", 1)
        assert runtime.dumper.trouble is None
        assert recorder.get_snapshots() == [2, 4, 6]


def test_a_reducer_that_is_interrupted_leaves_its_message_to_come_again() -> None:
    with cells() as runtime:
        put(runtime, "k", 1)
        session = runtime._begun
        fold, interrupted = session._executor.log.append, []

        class Interrupts:
            def __getattr__(self, name: str) -> object:
                return getattr(session.stores.log, name)

            def append(self, block: object) -> None:
                fold(block)  # type: ignore[arg-type]
                if not interrupted:
                    interrupted.append(block)
                    raise KeyboardInterrupt

        object.__setattr__(session._executor, "log", Interrupts())
        with pytest.raises(KeyboardInterrupt):
            put(runtime, "k", 2)
        assert put(runtime, "k", 3).number == 3
        assert runtime.state == {"k": 3}
        assert [block.number for block in runtime.blocks()] == [1, 2, 3]
        assert runtime.verify().ok


def test_what_is_not_acknowledged_is_acknowledged_later(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(MemoryChannel):
        failures = 2
        acknowledged = 0

        def acknowledge(self, messages: Sequence[Message]) -> None:
            if self.failures:
                self.failures -= 1
                raise Unavailable("not now")
            self.acknowledged += len(messages)

    channel = Slow()
    with cells(channel=channel) as runtime:
        for number in range(2):
            assert put(runtime, "k", number).status == "done"
        assert channel.acknowledged == 0
        put(runtime, "k", 2)
        assert channel.acknowledged == 3
    assert "not acknowledged yet: not now" in caplog.text


def test_blocks_that_are_archived_leave_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "KEPT", 10)
    recorder = MemoryRecorder(MACHINE)
    with cells(recorder=recorder) as runtime:
        states = [dict(runtime.state)]
        for number in range(45):
            grow(runtime, [number])
            states.append(dict(runtime.state))
        live = runtime._begun.stores.live
        assert len(list(live.read(MACHINE, 1))) <= 20
        assert [dict(frame.state) for frame in runtime] == states
        assert runtime.undo().number == 46
        assert runtime.state == states[44]
        assert runtime.verify().findings == []
    plain = cells(recorder=Plain())
    with plain:
        grow(plain, range(45))
        assert len(list(plain._begun.stores.live.read(MACHINE, 1))) == 45
