"""Channels: one contract for all, and what is a file's or a queue's own."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockfold.adapters.manual_clock import START, ManualClock
from blockfold.domain.block import Mark
from blockfold.domain.errors import Corrupted, Misconfigured, Unavailable
from blockfold.domain.marks import REPLACED_AFTER
from blockfold.recorders import MemoryRecorder
from blockfold.runtime import JsonlChannel, MemoryChannel, SqsChannel
from blockfold.runtime.ports import Channel, Closes
from tests.contracts.resources import clients_of
from tests.emulator import BareEmulator, emulator
from tests.runtime.worlds import MACHINE, cells, put

__all__ = ["emulator"]


def step(key: str, value: object = 1) -> str:
    """An action of `Cells` as JSON."""
    args = {"steps": [{"do": "push", "key": key, "value": value}]}
    return json.dumps({"type": "run", "args": args})


def queue_of(emulator: BareEmulator) -> tuple[Any, str]:
    client = clients_of(emulator).sqs
    answer = client.create_queue(
        QueueName=f"{uuid.uuid4().hex}.fifo",
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "30"},
    )
    return client, answer["QueueUrl"]


@pytest.fixture(params=["memory", "jsonl", "sqs"])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Channel]:
    if request.param == "memory":
        found: Channel = MemoryChannel()
    elif request.param == "jsonl":
        found = JsonlChannel(tmp_path / "actions.jsonl")
    else:
        client, url = queue_of(request.getfixturevalue("emulator"))
        found = SqsChannel(url, MACHINE, client)
    yield found
    if isinstance(found, Closes):
        found.close()


def test_messages_come_in_order_numbered_and_as_they_were_written(channel: Channel) -> None:
    ids = [channel.write(step("k", number)) for number in range(12)]
    found = []
    while messages := channel.read(5):
        assert len(messages) <= 5
        found += messages
        channel.acknowledge(messages)
    assert [message.id for message in found] == ids
    assert [json.loads(message.body) for message in found] == [
        json.loads(step("k", number)) for number in range(12)
    ]
    numbers = [int(message.sequence) for message in found]
    assert numbers == sorted(set(numbers))
    assert len({message.queue for message in found}) == 1
    assert all(message.sent > 0 for message in found)
    assert list(channel.read(1)) == []


def test_what_is_released_comes_again_first_and_is_the_same(channel: Channel) -> None:
    for number in range(4):
        channel.write(step("k", number))
    first = list(channel.read(3))
    channel.acknowledge(first[:1])
    channel.release(first[1:])
    again = list(channel.read(2))
    assert again == first[1:]
    channel.acknowledge(again)
    (last,) = channel.read(2, 1.0)
    assert json.loads(last.body) == json.loads(step("k", 3))
    channel.acknowledge([last])


def test_a_machine_on_a_channel_has_each_message_once_over_restarts(channel: Channel) -> None:
    recorder = MemoryRecorder(MACHINE)
    runtime = cells(channel=channel, recorder=recorder)
    for start in range(3):
        channel.write(step("k", f"{start} before"))
        with runtime:
            runtime.poll(1.0)
            assert runtime.write(json.loads(step("k", f"{start} within"))).status == "done"
            channel.write(step("k", f"{start} drained"))
    assert runtime.state["k"] == [
        f"{start} {when}" for start in range(3) for when in ("before", "within", "drained")
    ]


# -- memory ----------------------------------------------------------------------------------------


def test_a_new_memory_channel_goes_on_behind_the_blocks_of_the_old() -> None:
    recorder = MemoryRecorder(MACHINE)
    for number in range(3):
        with cells(channel=MemoryChannel(), recorder=recorder) as runtime:
            assert put(runtime, "k", number).number == number + 1
    assert len(runtime.head.marks) == 1


def test_what_was_read_and_not_acknowledged_comes_again_to_the_next() -> None:
    channel = MemoryChannel()
    channel.begin((), ManualClock())
    ids = [channel.write(step("k", number)) for number in range(3)]
    channel.acknowledge(channel.read(1))
    assert len(channel.read(9)) == 2
    channel.begin((Mark(queue="memory", sequence="1", sent=0),), ManualClock())
    assert [message.id for message in channel.read(9)] == ids[1:]


# -- files -----------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "actions.jsonl"


def jsonl(path: Path, recorder: object = None, **options: Any) -> Any:
    clock = options.pop("clock", None) or ManualClock()
    return cells(channel=JsonlChannel(path, **options), recorder=recorder, clock=clock)


def test_plain_lines_of_others_are_followed(path: Path) -> None:
    with jsonl(path) as runtime:
        assert runtime.poll() == 0
        path.parent.mkdir()
        path.write_text(step("k", 1) + "\n\n" + f"[{step('k', 2)}, {step('k', 3)}]\n")
        assert runtime.poll() == 2
        with path.open("a") as file:
            file.write(step("k", 4) + "\n")
        assert runtime.poll() == 1
        assert runtime.state["k"] == [1, 2, 3, 4]
        assert [frame.time for frame in runtime][1:] == [START] * 4
        written = runtime.write("run", steps=[])
        assert written.id == f"{written.message}/0"


def test_only_lines_that_no_block_holds_are_executed_after_a_restart(path: Path) -> None:
    """Also if they do not say when they were sent, and much later."""
    recorder, clock = MemoryRecorder(MACHINE), ManualClock()
    for start in range(3):
        runtime = cells(channel=JsonlChannel(path), recorder=recorder, clock=clock).start()
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(step("k", start) + "\n")
        assert runtime.poll() == 1
        recorder.flush()  # and the process dies
        clock.advance(REPLACED_AFTER)
    with cells(channel=JsonlChannel(path), recorder=recorder, clock=clock) as runtime:
        assert runtime.poll() == 0
        assert runtime.state["k"] == [0, 1, 2]


def test_what_a_dead_process_executed_and_did_not_record_is_executed_again(path: Path) -> None:
    recorder = MemoryRecorder(MACHINE)
    first = jsonl(path, recorder).start()
    put(first, "a", 1)
    recorder.flush()
    put(first, "b", 2)
    digest, hashes = first.digest, [block.hash for block in first.blocks()]
    with jsonl(path, MemoryRecorder(MACHINE, objects=recorder.objects)) as runtime:
        assert runtime.head.number == 1
        runtime.poll()
        assert runtime.digest == digest
        assert [block.hash for block in runtime.blocks()] == hashes


def test_a_message_done_in_part_goes_on_where_it_was(path: Path) -> None:
    clock, recorder = ManualClock(), MemoryRecorder(MACHINE)

    class Dies(MemoryRecorder):
        def after_dispatch(self, frame: Any) -> None:
            super().after_dispatch(frame)
            if frame.number == 2:
                self.flush()
                raise KeyboardInterrupt

    path.parent.mkdir()
    path.write_text("[" + ", ".join(step("k", number) for number in range(4)) + "]\n")
    dying = Dies(MACHINE, objects=recorder.objects)
    runtime = jsonl(path, dying, clock=clock).start()
    fold = runtime._begun._executor.fold
    with pytest.raises(KeyboardInterrupt):
        runtime.poll()
    assert fold is not None
    clock.advance(2 * REPLACED_AFTER)
    with jsonl(path, recorder, clock=clock) as again:
        assert again.head.number == 2
        again.poll()
        assert again.state["k"] == [0, 1, 2, 3]
        assert again.head.number == 4


def test_envelopes_say_who_and_when_but_not_the_future(path: Path) -> None:
    path.parent.mkdir()
    lines = [
        {"id": "x", "sent": START - 5, "sender": "ann", "body": json.loads(step("k"))},
        {"sent": START + 10**6, "body": json.loads(step("k"))},
        {"body": json.loads(step("k")), "wings": 1},
        {"sent": "now", "body": json.loads(step("k"))},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with jsonl(path) as runtime:
        assert runtime.poll() == 4
        frames = list(runtime)[1:]
        assert [(frame.time, frame.sender) for frame in frames[:2]] == [
            (START - 5, "ann"),
            (START, ""),
        ]
        assert frames[0].action == {**json.loads(step("k")), "id": "x/0"}
        assert [frame.outcome for frame in frames] == ["applied"] * 2 + ["malformed"] * 2


@pytest.mark.parametrize("polls", [1, 3])
def test_lines_with_one_id_are_messages_of_their_own(path: Path, polls: int) -> None:
    """However many of them are there when the file is read."""
    path.parent.mkdir()
    lines = [json.dumps({"id": "x", "body": json.loads(step("k", n))}) + "\n" for n in range(3)]
    with jsonl(path) as runtime:
        for number in range(polls):
            with path.open("a") as file:
                file.writelines(lines if polls == 1 else lines[number])
            while runtime.poll():
                pass
        assert runtime.state["k"] == [0, 1, 2]
        assert runtime.head.number == 3
    assert runtime.verify().ok


def test_what_is_no_text_is_recorded_as_malformed(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(
        b"\xff\xfe{\n" + b"{nonsense\n" + step("k").encode() + b"\n" + b"[" * 9000 + b"\n"
    )
    with jsonl(path) as runtime:
        assert runtime.poll() == 4
        found = [frame.outcome for frame in runtime][1:]
        assert found == ["malformed", "malformed", "applied", "malformed"]
        assert runtime.verify().ok


def test_a_torn_last_line_waits_for_its_end(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    whole = step("k", 1)
    path.write_text(whole[:20])
    with jsonl(path) as runtime:
        assert runtime.poll() == 0
        with path.open("a") as file:
            file.write(whole[20:] + "\n" + whole[:5])
        assert runtime.poll() == 1
        assert runtime.state["k"] == [1]
    assert "ends with a line that is not complete" in caplog.text


def test_the_next_to_write_ends_a_torn_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(step("k", 1)[:20])
    with jsonl(path) as runtime:
        assert put(runtime, "k", 2).outcome == "applied"
        assert [frame.outcome for frame in runtime][1:] == ["malformed", "applied"]
        assert runtime.state["k"] == 2


def test_a_file_that_was_cut_or_replaced_is_an_error(path: Path) -> None:
    recorder = MemoryRecorder(MACHINE)
    with jsonl(path, recorder) as runtime:
        for number in range(3):
            put(runtime, "k", number)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(lines[0])
        with pytest.raises(Corrupted, match="became shorter"):
            runtime.poll()
        path.write_bytes(b"".join(lines))
    path.write_bytes(b"".join(lines[:2]))
    runtime = jsonl(path, recorder).start()
    with pytest.raises(Corrupted, match="has 2 lines, but 3 of it were executed") as caught:
        runtime.poll()
    assert "name=" in caught.value.hint


def test_another_file_is_another_queue_wherever_it_lies(path: Path) -> None:
    recorder = MemoryRecorder(MACHINE)
    with jsonl(path, recorder) as runtime:
        put(runtime, "k", 1)
        put(runtime, "k", 2)
    moved = path.parent / "else" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    with jsonl(moved, recorder) as runtime:
        assert runtime.poll() == 0
        assert put(runtime, "k", 3).number == 3
    other = path.parent / "other.jsonl"
    other.write_text(step("other") + "\n")
    with jsonl(other, recorder) as runtime:
        assert runtime.poll() == 1
        assert "other" in runtime.state
    with jsonl(moved, recorder) as runtime:
        assert runtime.poll() == 0


def test_a_full_disk_leaves_no_half_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with jsonl(path) as runtime:
        put(runtime, "k", 1)
        before = path.read_bytes()
        write = os.write

        def full(file: int, data: bytes) -> int:
            if len(data) > 30:
                return write(file, data[:30])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(Unavailable, match="No space left") as caught:
            put(runtime, "k", 2)
        assert caught.value.hint == "nothing was written"
        assert path.read_bytes() == before
        monkeypatch.undo()
        assert put(runtime, "k", 2).number == 2


def test_a_path_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    runtime = jsonl(tmp_path).start()
    with pytest.raises(Unavailable, match="could not append"):
        put(runtime, "k", 1)
    for read in (runtime.poll, runtime.stop):
        with pytest.raises(Unavailable, match="could not read"):
            read()
    assert not runtime.running


def test_two_processes_append_to_one_file(path: Path) -> None:
    one, two = JsonlChannel(path), JsonlChannel(path)
    for number in range(20):
        (one, two)[number % 2].write(step("k", number))
    with jsonl(path) as runtime:
        runtime.poll()
        assert runtime.state["k"] == list(range(20))


def test_what_was_written_and_could_not_be_read_is_said_to_be_on_its_way(path: Path) -> None:
    with jsonl(path) as runtime:
        put(runtime, "k", 1)
        runtime._reader._lines._offset = 10**6
        with pytest.raises(Unavailable, match=r"not in a block yet: .* became shorter") as caught:
            put(runtime, "k", 2)
        assert "do not write it again" in caught.value.hint
        runtime._reader._lines._offset = path.read_bytes().index(b"\n") + 1
        assert runtime.poll() == 1
        assert runtime.state["k"] == 2


# -- queues ----------------------------------------------------------------------------------------


def test_other_machines_messages_are_released_untouched(
    emulator: BareEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    client, url = queue_of(emulator)
    ours, theirs = SqsChannel(url, MACHINE, client), SqsChannel(url, "other", client)
    theirs.write(step("k", "theirs"))
    ours.write(step("k", "ours"))
    with cells(channel=ours) as runtime:
        while not runtime.poll():
            pass
        assert runtime.state["k"] == ["ours"]
    with cells("other", channel=theirs) as runtime:
        while not runtime.poll():
            pass
        assert runtime.state["k"] == ["theirs"]
        assert len(list(runtime)[1].sender) > 0
    assert "carries other machines" in caplog.text


def test_what_died_before_it_was_deleted_comes_again_and_is_recognised(
    emulator: BareEmulator,
) -> None:
    client, url = queue_of(emulator)
    client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    recorder = MemoryRecorder(MACHINE)

    class Keeps(SqsChannel):
        def acknowledge(self, messages: object) -> None:
            raise KeyboardInterrupt

    dying = cells(channel=Keeps(url, MACHINE, client), recorder=recorder).start()
    dying._reader.write(step("k", 1))  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        dying.run(until=5)
    again = MemoryRecorder(MACHINE, objects=recorder.objects)
    with cells(channel=SqsChannel(url, MACHINE, client), recorder=again) as runtime:
        assert runtime.head.number == 1
        runtime.run(until=1.3)
        assert (runtime.head.number, runtime.state["k"]) == (1, [1])
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_queue_without_groups_is_refused() -> None:
    with pytest.raises(Misconfigured, match="has no groups"):
        SqsChannel("https://sqs.eu-west-1.amazonaws.com/1/plain", MACHINE, object())  # type: ignore[arg-type]


def test_a_queue_that_is_gone_is_said(emulator: BareEmulator) -> None:
    client, url = queue_of(emulator)
    client.delete_queue(QueueUrl=url)
    with cells(channel=SqsChannel(url, MACHINE, client)) as runtime:
        with pytest.raises(Exception, match="could not read machine 'm'"):
            runtime.poll()
        with pytest.raises(Exception, match="could not send"):
            put(runtime, "k", 1)
        runtime._reader = runtime._begun._reader = MemoryChannel()  # so that it can be drained
