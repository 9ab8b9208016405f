"""A recorder that fails: the action stands in its block, and whoever wrote it is told so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blockfold import ManualClock, Message
from blockfold.domain.errors import Refused, Unavailable
from blockfold.recorders import MemoryRecorder
from blockfold.recorders.protocol import Frame, Recorder
from blockfold.runtime import MemoryChannel, NotRecorded, session
from tests.runtime.worlds import MACHINE, Plain, cells, grow, put


class OnlyTold:
    """A recorder that can do nothing else."""

    def after_dispatch(self, frame: Frame) -> None:
        pass


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


def test_an_undo_that_could_not_be_stored_stands_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = MemoryRecorder(MACHINE, quiet=None)
    with cells(recorder=recorder) as runtime:
        grow(runtime, range(3))
        flush, stored = recorder.flush, iter([True, False])

        def once() -> None:
            if not next(stored, True):
                raise Unavailable("the shelf is full")
            flush()

        monkeypatch.setattr(recorder, "flush", once)
        with pytest.raises(NotRecorded, match="the restore stands in block 4") as caught:
            runtime.undo()
        assert "do not write it again" in caught.value.hint
        assert runtime.head.number == 4
        assert runtime.redo().number == 5


# -- the dumper of a machine whose recorder keeps no log -------------------------------------------


def test_what_is_due_is_kept_by_a_recorder_of_ones_own() -> None:
    recorder = Plain()
    with cells(recorder=recorder) as runtime:
        runtime.dumper.set_count(2)
        for _ in range(5):  # all in one turn
            runtime._send('{"type":"run","args":{"steps":[]}}')
        assert runtime.poll() == 5
        assert recorder.get_snapshots() == [2, 4]
        assert runtime.dumper.dump().changed
        assert recorder.get_snapshots() == [2, 4, 5]
        with pytest.raises(Refused, match="keeps no log, and so no snapshot of block 1"):
            runtime.dumper.dump(at=1)
    with cells(recorder=recorder) as again:
        assert again.booted.snapshot == 5


def test_so_is_what_a_policy_calls_for() -> None:
    recorder, clock = Plain(), ManualClock()
    with cells(recorder=recorder, clock=clock) as runtime:
        runtime.dumper.set_policy(quiet=5)
        put(runtime, "a", 1)
        clock.advance(20)
        assert recorder.get_snapshots() == [1]


def test_a_snapshot_that_a_recorder_could_not_keep_fails_no_action() -> None:
    class Full(Plain):
        full = True

        def create_snapshot(self) -> int | None:
            if self.full:
                raise OSError("the shelf is full")
            return super().create_snapshot()

    recorder = Full()
    with cells(recorder=recorder) as runtime:
        runtime.dumper.set_count(1)
        assert put(runtime, "a", 1).number == 1
        assert isinstance(runtime.dumper.trouble, OSError)
        recorder.full = False
        put(runtime, "a", 2)
        assert runtime.dumper.trouble is None
        assert recorder.get_snapshots() == [2]


@pytest.mark.parametrize(
    ("recorder", "warned"),
    [(None, True), (OnlyTold(), True), (Plain(), False), (MemoryRecorder(MACHINE), True)],
)
def test_a_queue_that_forgets_and_a_recorder_that_does_are_warned_of(
    recorder: Recorder | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Queue(MemoryChannel):
        consumes = True

    with cells(channel=Queue(), recorder=recorder):
        assert ("keeps nothing beyond this process" in caplog.text) is warned
    caplog.clear()
    with cells(recorder=recorder):
        assert "keeps nothing" not in caplog.text
