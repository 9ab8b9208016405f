"""Ctrl-C in a program or notebook while a reducer runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from blockfold import Context, JsonlChannel, Machine, MemoryRecorder, Runtime, State, action
from blockfold.runtime import AlarmGuard


class Slow(Machine):
    """Is interrupted, in one way or another."""

    @action
    def spin(self, state: State, context: Context) -> None:
        state["half"] = True
        signal.raise_signal(signal.SIGINT)

    @action
    def swallow(self, state: State, context: Context) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            state["swallowed"] = True

    @action
    def pretend(self, state: State, context: Context) -> None:
        raise KeyboardInterrupt

    @action
    def count(self, state: State, context: Context) -> None:
        state["count"] = state.get("count", 0) + 1


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Programs that a shell starts in the background ignore Ctrl-C, and so would these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("guarded", [False, True])
def test_the_action_ends_and_the_program_is_interrupted(guarded: bool) -> None:
    recorder = MemoryRecorder("slow")
    options = {"guard": AlarmGuard(60)} if guarded else {}
    with Runtime(Slow, recorder=recorder, **options) as runtime:  # type: ignore[arg-type]
        runtime.write("count")
        with pytest.raises(KeyboardInterrupt):
            runtime.write("spin")
        frame = runtime.frames[-1]
        assert (frame.number, frame.outcome, frame.reason) == (2, "failed", "was interrupted")
        assert runtime.write("count").number == 3
        assert runtime.state == {"count": 2}
        assert runtime.replay().ok
        assert runtime.verify().ok
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert recorder.get_snapshots() == [3]


def test_what_was_read_with_it_is_done_once(tmp_path: object) -> None:
    with Runtime(Slow, channel=JsonlChannel(f"{tmp_path}/actions.jsonl")) as runtime:
        for kind in ("count", "spin", "count"):
            runtime._send(f'{{"type": "{kind}"}}')
        with pytest.raises(KeyboardInterrupt):
            runtime.poll()
        while runtime.poll():
            pass
        assert runtime.state == {"count": 2}
        assert [frame.outcome for frame in runtime][1:] == ["applied", "failed", "applied"]


def test_a_reducer_cannot_keep_it_from_the_program() -> None:
    with Runtime(Slow) as runtime:
        with pytest.raises(KeyboardInterrupt):
            runtime.write("swallow")
        assert runtime.state == {"swallowed": True}


def test_what_a_reducer_raises_itself_is_its_outcome() -> None:
    with Runtime(Slow) as runtime:
        done = runtime.write("pretend")
        assert (done.outcome, done.reason) == ("failed", "KeyboardInterrupt")
        assert runtime.replay().ok
