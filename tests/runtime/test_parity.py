"""The same actions through the object and through an executor: the same blocks, hash by hash."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Limits, Message, Runtime
from blockfold.adapters.manual_clock import ManualClock
from blockfold.domain.block import NO_HASH
from blockfold.runtime import MemoryChannel
from examples.httpx.history import commits
from machines.repository import Repository
from tests.properties.histories import NEVER
from tests.runtime.worlds import numbered
from tests.snapshots.stack import Stack

MACHINE = "httpx"
SOME = 400
"""Commits: 1,282 actions of one of a repository's whole history."""


def bodies() -> list[str]:
    return [commit.body for commit in commits()[:SOME]]


def sent(channel: MemoryChannel) -> list[Message]:
    """What a reader gets of the history."""
    channel.begin((), ManualClock())
    for body in bodies():
        channel.write(body)
    return list(channel.read(10 * SOME))


def on_a_stack(messages: list[Message], cut: int, limits: Limits | None = None) -> Stack:
    """The messages through an executor in memory, so many an invocation."""
    stack = Stack()
    executor = replace(stack.executor(machine=Repository()), limits=limits or Limits())
    for start in range(0, len(messages), cut):
        folded = executor.fold(MACHINE, messages[start : start + cut], deadline=NEVER)
        assert folded.error is None
    return stack


def as_object(limits: Limits) -> Runtime:
    channel = MemoryChannel(new_id=numbered())
    runtime = Runtime(Repository(), MACHINE, channel=channel, clock=ManualClock(), limits=limits)
    runtime.start()
    for body in bodies():
        channel.write(body)
    while runtime.poll():
        pass
    return runtime


MESSAGES = sent(MemoryChannel(new_id=numbered()))


def test_cut_alike_the_hashes_are_the_same() -> None:
    """The object reads a hundred messages at once, and an action is a block by default."""
    stack = on_a_stack(MESSAGES, 100)
    runtime = as_object(Limits())
    assert [block.hash for block in runtime.blocks()] == [
        block.hash for block in stack.blocks(MACHINE)
    ]
    assert len(list(runtime.blocks())) == SOME // 100
    one_by_one = as_object(Limits(actions=1))
    fine = on_a_stack(MESSAGES, 7, Limits(actions=1))
    hashes = [block.hash for block in one_by_one.blocks()]
    assert hashes == [block.hash for block in fine.blocks(MACHINE)]
    assert len(hashes) == sum(len(commit.actions) for commit in commits()[:SOME]) > 500
    assert one_by_one.digest == runtime.digest
    assert dict(runtime.state) == stack.stored(MACHINE)
    assert hashes[0] != NO_HASH


@settings(max_examples=5)
@given(st.integers(1, 60), st.integers(1, 60))
def test_cut_otherwise_the_digests_are_the_same(cut: int, most: int) -> None:
    stack = on_a_stack(MESSAGES[:60], cut, Limits(actions=most))
    channel = MemoryChannel(new_id=numbered())
    with Runtime(Repository(), MACHINE, channel=channel, clock=ManualClock()) as runtime:
        for message in MESSAGES[:60]:
            channel.write(message.body)
        runtime.poll()
        head = stack.blocks(MACHINE)[-1]
        assert runtime.digest == head.header.digest
        ordinals = {block.head.ordinal: block.header.digest for block in stack.blocks(MACHINE)}
        mine = {block.head.ordinal: block.header.digest for block in runtime.blocks()}
        assert ordinals.items() <= mine.items()
