"""Several threads, a thread in the background, and asyncio."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from blockfold import AsyncRuntime, Message
from blockfold.domain.errors import Refused, Unavailable
from blockfold.recorders import MemoryRecorder
from blockfold.runtime import Frame, MemoryChannel, NotRecorded
from tests.machines_for_tests import Cells
from tests.runtime.test_recorder_trouble import Picky
from tests.runtime.worlds import MACHINE, cells, drop, grow, put


def push(value: object) -> str:
    step = {"do": "push", "key": "k", "value": value}
    return json.dumps({"type": "run", "args": {"steps": [step]}})


@pytest.mark.parametrize("background", [False, True])
def test_threads_write_at_once_and_each_action_stands_in_one_block(background: bool) -> None:
    runtime = cells().start(background=background)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: runtime.write(json.loads(push(n))), range(160)))
    runtime.stop()
    assert sorted(each.number or 0 for each in found) == list(range(1, 161))
    values = runtime.state["k"]
    assert isinstance(values, list)
    assert sorted(values, key=int) == list(range(160))  # type: ignore[arg-type]
    assert [values[(each.number or 0) - 1] for each in found] == list(range(160))
    assert runtime.verify().findings == []


def test_readers_see_whole_states_while_others_write() -> None:
    """Each action moves between two keys; no reader sees the sum of both change."""
    seen: list[int] = []
    stop = Event()
    with cells() as runtime:
        put(runtime, "a", 0)
        runtime.write("run", steps=[{"do": "set", "key": key, "value": 0} for key in "ab"])

        def look() -> None:
            while not stop.is_set():
                seen.append(sum(int(value) for _, value in runtime.state.scan()))  # type: ignore[arg-type]

        thread = Thread(target=look)
        thread.start()
        for number in range(1, 200):
            pair = [("a", number), ("b", -number)]
            steps = [{"do": "set", "key": key, "value": value} for key, value in pair]
            runtime.write("run", steps=steps)
        stop.set()
        thread.join()
    assert set(seen) == {0}


def test_a_thread_in_the_background_follows_what_others_write() -> None:
    channel = MemoryChannel()
    runtime = cells(channel=channel).start(background=True)
    channel.write(push(1))
    frames = runtime.follow(after=0)
    assert next(frames).number == 1
    channel.write(push(2))
    assert next(frames).number == 2
    runtime.undo()
    assert next(frames).action is None
    runtime.stop()
    assert list(frames) == []


def test_whoever_follows_without_such_a_thread_brings_actions_into_blocks() -> None:
    channel = MemoryChannel()
    with cells(channel=channel) as runtime:
        put(runtime, "old", 1)
        frames = runtime.follow()
        channel.write(push(1))
        channel.write(push(2))
        assert [next(frames).number, next(frames).number] == [2, 3]


def test_a_thread_in_the_background_outlives_trouble_and_tells_the_writer() -> None:
    recorder = Picky(1, 3)
    channel = MemoryChannel()
    runtime = cells(recorder=recorder, channel=channel).start(background=True)
    with pytest.raises(NotRecorded, match="block 1"):
        put(runtime, "k", 1)
    assert put(runtime, "k", 2).number == 2
    with pytest.raises(NotRecorded, match="block 3"):
        put(runtime, "k", 3)
    runtime.stop()
    assert [told[0] for told in recorder.told] == [0, 1, 2, 3]


def test_running_ends_when_it_is_told_to() -> None:
    channel, stop = MemoryChannel(), Event()
    with cells(channel=channel) as runtime:
        thread = Thread(target=lambda: runtime.run(until=stop))
        thread.start()
        channel.write(push(1))
        assert next(runtime.follow(after=0)).number == 1
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
        runtime.run(until=0.0)


def test_stopping_while_others_write_loses_nothing_that_was_done() -> None:
    recorder = MemoryRecorder(MACHINE)
    runtime = cells(recorder=recorder).start()
    done: list[int] = []

    def write() -> None:
        try:
            while True:
                done.append(put(runtime, "k", len(done)).number or 0)
        except (Refused, Unavailable):
            pass

    thread = Thread(target=write)
    thread.start()
    while len(done) < 20:
        pass
    runtime.stop()
    thread.join(5)
    done = [number for number in done if number]
    again = cells(recorder=MemoryRecorder(MACHINE, objects=recorder.objects)).start()
    assert again.head.number >= done[-1]
    assert done == list(range(1, len(done) + 1))


def test_a_restore_while_others_write_is_one_block_among_theirs() -> None:
    runtime = cells().start(background=True)
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(put, runtime, f"k{number}", number) for number in range(40)]
        while runtime.head.number < 5:
            pass
        block = runtime.restore(2)
        for each in writing:
            each.result()
    assert runtime.at(block=block.number).state == runtime.at(block=2).state
    assert len(runtime.state) == 2 + runtime.head.number - block.number
    runtime.stop()
    assert runtime.verify().findings == []


# -- asyncio ---------------------------------------------------------------------------------------


def test_the_same_calls_are_awaited() -> None:
    async def script() -> None:
        channel = MemoryChannel()
        async with AsyncRuntime(Cells, MACHINE, channel=channel) as runtime:
            assert runtime.machine == MACHINE
            assert runtime.booted.source == "genesis"
            written = await asyncio.gather(*(runtime.write(json.loads(push(n))) for n in range(20)))
            assert sorted(each.number or 0 for each in written) == list(range(1, 21))
            assert len(await runtime.write_many([json.loads(push(20))])) == 1
            channel.write(push(21))
            assert await runtime.poll() == 1
            assert len(await runtime.frames()) == 23
            assert len(await runtime.blocks(3)) == 20
            await runtime.undo()
            await runtime.redo()
            assert (await runtime.restore(1)).number == 25
            assert (await runtime.at(block=25)).state == runtime.state
            assert (await runtime.snapshot()).number == 25
            assert (await runtime.replay()).ok
            assert (await runtime.verify()).ok
        with pytest.raises(Refused, match="was stopped"):
            await runtime.write("run", steps=[])

    asyncio.run(script())


def test_frames_are_followed_beside_other_work() -> None:
    async def script() -> list[int]:
        seen: list[int] = []
        stop = asyncio.Event()

        async with AsyncRuntime(Cells(), MACHINE) as runtime:
            reading = asyncio.create_task(runtime.run(stop))

            async def write() -> None:
                for number in range(5):
                    await runtime.write(json.loads(push(number)))

            writing = asyncio.create_task(write())
            async for frame in runtime.follow(after=0):
                assert isinstance(frame, Frame)
                seen.append(frame.number)
                if len(seen) == 5:
                    break
            await writing
            stop.set()
            await reading
            await runtime.run(0.0)
        return seen

    assert asyncio.run(script()) == [1, 2, 3, 4, 5]


def test_frames_of_one_machine_are_read_by_many() -> None:
    with cells() as runtime:
        grow(runtime, range(30))
        drop(runtime, "key/1")
        wanted = [dict(frame.state) for frame in runtime.frames]
        with ThreadPoolExecutor(4) as threads:
            order = [7, 30, 2, 31, 0, 15, 16, 1] * 5
            found = threads.map(lambda at: (at, dict(runtime.frames[at].state)), order)
            assert all(state == wanted[at] for at, state in found)


def test_who_waited_for_a_turn_reads_no_more_if_his_action_is_done() -> None:
    class Counted(MemoryChannel):
        reads = 0
        written = Event()

        def write(self, body: str) -> str:
            try:
                return super().write(body)
            finally:
                self.written.set()

        def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
            self.reads += 1
            return super().read(most, wait)

    channel = Counted()
    with cells(channel=channel) as runtime:
        with runtime._live._reading:
            writer = Thread(target=put, args=(runtime, "a", 1))
            writer.start()
            assert channel.written.wait(30)
            assert runtime.poll() == 1
        writer.join()
        assert channel.reads == 1
        assert runtime.state == {"a": 1}
