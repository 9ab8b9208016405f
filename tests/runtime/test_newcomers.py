"""What somebody meets who uses the object for the first time: odd arguments, and what is shown."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from blockfold import AsyncRuntime, MemoryChannel, MemoryRecorder, Runtime
from blockfold.domain.errors import Misconfigured
from blockfold.runtime import runtime as module
from blockfold.runtime.options import ForkOptions, Options
from tests.machines_for_tests import Cells
from tests.runtime.worlds import MACHINE, cells, drop, grow, put

ODD: dict[str, Callable[[Runtime], object]] = {
    "block text": lambda runtime: runtime.at(block="1"),  # type: ignore[arg-type]
    "block fraction": lambda runtime: runtime.at(block=1.5),  # type: ignore[arg-type]
    "block truth": lambda runtime: runtime.at(block=True),
    "frame text": lambda runtime: runtime.at(frame="1"),  # type: ignore[arg-type]
    "restore text": lambda runtime: runtime.restore("1"),  # type: ignore[arg-type]
    "snapshot text": lambda runtime: runtime.snapshot("1"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_number_is_said_to_be_none(name: str) -> None:
    with cells() as runtime:
        grow(runtime, range(2))
        with pytest.raises(Misconfigured, match="is a whole number, not"):
            ODD[name](runtime)
        assert runtime.head.number == 2


@pytest.mark.parametrize("code", [int, "Forest", object(), MemoryRecorder])
def test_what_is_no_machine_is_refused(code: Any) -> None:
    with pytest.raises(Misconfigured, match="is no machine"):
        Runtime(code, MACHINE)
    with cells() as runtime, pytest.raises(Misconfigured, match="is no machine"):
        runtime.replay(code)


@pytest.mark.parametrize("recorder", [object(), MemoryRecorder, "folder"])
def test_what_is_no_recorder_is_refused(recorder: Any) -> None:
    with pytest.raises(Misconfigured, match="is no recorder"):
        Runtime(Cells, MACHINE, recorder=recorder)


def test_a_writer_needs_nothing_but_write() -> None:
    channel = MemoryChannel()

    class Writes:
        def write(self, body: str) -> str:
            return channel.write(body)

    with cells(reader=channel, writer=Writes()) as runtime:
        assert put(runtime, "a", 1).outcome == "applied"


def test_what_is_shown_is_short() -> None:
    runtime = cells()
    assert repr(runtime) == "<Runtime of m: not started>"
    with runtime:
        put(runtime, "a", 1)
        assert repr(runtime) == "<Runtime of m: running, at block 1>"
        assert repr(runtime.frames) == "<Frames of m up to block 1>"
        assert repr(runtime.cursor()) == "<Cursor at <Frame block 1, action 1: run applied>>"
        assert repr(runtime.snapshot()) == "<Snapshot of m at block 1: 1 keys>"
    assert repr(AsyncRuntime.around(runtime)) == "<AsyncRuntime of m: stopped, at block 1>"


def test_entries_are_of_one_moment() -> None:
    with cells() as runtime:
        grow(runtime, range(5))
        before = dict(runtime.state.items())
        items, values = iter(runtime.state.items()), iter(runtime.state.values())
        found, first = [next(items)], [next(values)]
        for key in before:
            drop(runtime, key)
        assert dict(found + list(items)) == before
        assert first + list(values) == list(before.values())
        assert runtime.state == {}
        assert list(runtime.state.items()) == []
        assert 4 in before.values()
        assert 4 not in runtime.state.values()


def test_stopping_ends_though_others_go_on_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN", 0.0)

    class Busy(MemoryChannel):
        reads = 0

        def read(self, most: int, wait: float = 0.0) -> Any:
            self.reads += 1
            if self.reads < 10_000:
                self.send('{"type": "run", "args": {"steps": []}}')
            return super().read(most, wait)

    channel = Busy()
    runtime = cells(channel=channel).start()
    runtime.stop()
    assert channel.reads == 1
    assert runtime.head.number == 1


# -- asyncio ---------------------------------------------------------------------------------------


def test_any_number_may_follow_and_none_keeps_others_from_writing() -> None:
    followers = 60  # more than a loop has threads, on any machine of up to 56 cores

    async def follow(runtime: AsyncRuntime) -> int:
        async for frame in runtime.follow():
            return frame.number
        return 0

    async def script(background: bool) -> None:
        runtime = await AsyncRuntime(Cells, MACHINE).start(background=background)
        try:
            waiting = [asyncio.create_task(follow(runtime)) for _ in range(followers)]
            await asyncio.sleep(0.3)
            written = asyncio.create_task(runtime.write("run", steps=[]))
            assert (await asyncio.wait_for(written, 30)).number == 1
            assert await asyncio.gather(*waiting) == [1] * followers
        finally:
            runtime.runtime.stop()

    asyncio.run(script(False))
    asyncio.run(script(True))


def test_who_follows_no_longer_leaves_no_thread_behind() -> None:
    async def script(runtime: AsyncRuntime) -> None:
        async def follow() -> None:
            async for _ in runtime.follow():
                pass

        task = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with cells() as runtime:
        asyncio.run(script(AsyncRuntime.around(runtime)))  # ends only when its threads have ended
        assert put(runtime, "a", 1).number == 1


def test_frames_are_iterated_and_a_fork_is_asynchronous_too() -> None:
    async def script() -> None:
        async with AsyncRuntime(Cells, MACHINE) as runtime:
            await runtime.write("run", steps=[{"do": "set", "key": "a", "value": 1}])
            assert [frame.number async for frame in runtime] == [0, 1]
            fork = await runtime.fork("other")
            assert isinstance(fork, AsyncRuntime)
            assert (fork.machine, fork.head.number, fork.state) == ("other", 1, {"a": 1})
            assert fork.digest == runtime.digest
            assert fork.running
            await fork.stop()

    asyncio.run(script())


ELSEWHERE = {"cursor", "dumper", "recorder", "clock", "in_background", "following"}
"""What `AsyncRuntime.runtime` is asked for."""


def test_asyncio_has_the_same_calls() -> None:
    public = {name for name in dir(cells()) if not name.startswith("_")}
    assert public - set(dir(AsyncRuntime.around(cells()))) == ELSEWHERE


def test_the_options_are_the_arguments() -> None:
    taken = inspect.signature(Runtime.__init__).parameters
    given = {name for name, each in taken.items() if each.kind is each.KEYWORD_ONLY}
    assert given == Options.__annotations__.keys()
    assert given - {"start"} == ForkOptions.__annotations__.keys()
