"""When a block is full, which messages go into it, and when one is split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from blockfold import (
    Block,
    Context,
    Head,
    Limits,
    Machine,
    Message,
    Reject,
    State,
    action,
    execute,
)
from blockfold.domain import action as action_module
from blockfold.domain.action import parse
from blockfold.domain.canonical import Canonical
from blockfold.domain.marks import sift
from blockfold.domain.replay import EntriesSource, fold
from tests.machines_for_tests import Cells, Journal
from tests.strategies import message, notes_as_messages, runs_as_messages


def shape(block: Block) -> list[tuple[str, int, int]]:
    """Id, position of the first action and number of actions of each message in a block."""
    return [(each.id, each.first, len(each.actions)) for each in block.body.messages]


def all_blocks(messages: Sequence[Message], limits: Limits) -> Iterator[Block]:
    """Fold messages as an executor does, until nothing is left."""
    head = Head(machine="m")
    entries: dict[str, Canonical] = {}
    left: Sequence[Message] = messages
    while left := sift(head.marks, left).todo:
        block = execute(Journal(), head, EntriesSource(entries), left, limits=limits)
        yield block
        fold(entries, block)
        head = block.head


def shapes(lengths: Sequence[int], limits: Limits) -> list[list[tuple[int, int, int]]]:
    """Like `shape`, with the number of each message, for all blocks of messages so long."""
    return [
        [(int(id_.split("-")[1]), first, count) for id_, first, count in shape(block)]
        for block in all_blocks(notes_as_messages(lengths), limits)
    ]


def test_everything_that_fits_goes_into_one_block() -> None:
    assert shapes([1, 2, 3], Limits()) == [[(1, 0, 1), (2, 0, 2), (3, 0, 3)]]


def test_a_message_that_does_not_fit_behind_others_goes_whole_into_the_next_block() -> None:
    assert shapes([3, 3, 1], Limits(actions=5)) == [[(1, 0, 3)], [(2, 0, 3), (3, 0, 1)]]


def test_a_message_that_fits_exactly_is_taken() -> None:
    assert shapes([2, 3, 1], Limits(actions=5)) == [[(1, 0, 2), (2, 0, 3)], [(3, 0, 1)]]


def test_only_a_message_too_large_for_any_block_is_split_and_goes_on_where_it_stopped() -> None:
    assert shapes([2, 12, 1], Limits(actions=5)) == [
        [(1, 0, 2)],
        [(2, 0, 5)],
        [(2, 5, 5)],
        [(2, 10, 2), (3, 0, 1)],
    ]


def test_a_block_of_one_action_each() -> None:
    assert shapes([2, 1], Limits(actions=1)) == [[(1, 0, 1)], [(1, 1, 1)], [(2, 0, 1)]]


def test_a_split_message_runs_as_if_it_were_whole() -> None:
    messages = notes_as_messages([7])
    (whole,) = all_blocks(messages, Limits())
    split = list(all_blocks(messages, Limits(actions=3)))
    assert len(split) == 3
    assert split[-1].header.digest == whole.header.digest
    ids = [
        record.action_id(index)
        for block in split
        for record in block.body.messages
        for index in range(len(record.actions))
    ]
    assert ids == [f"message-1/{position}" for position in range(7)]


def test_a_message_left_for_the_next_block_leaves_no_trace_in_this_one() -> None:
    push = {"steps": [{"do": "push", "key": "a", "value": 1}]}
    fill = {"steps": [{"do": "set", "key": "b", "value": "x"}]}
    messages = runs_as_messages([[push], [push, fill, push]])
    block = execute(
        Cells(), Head(machine="m"), EntriesSource({}), messages, limits=Limits(actions=3)
    )
    assert shape(block) == [("message-1", 0, 1)]
    assert block.body.changes == {"a": b"[1]"}
    assert len(block.body.events) == 1
    assert block.body.marks[0].sequence == "1"
    assert block.head.ordinal == 1


def sized(bytes_: int) -> dict[str, Any]:
    return {"steps": [{"do": "set", "key": "a", "value": "x" * bytes_}]}


def test_a_block_is_full_by_bytes_of_actions_and_changes() -> None:
    messages = runs_as_messages([[sized(1_000)]] * 10)
    block = execute(
        Cells(), Head(machine="m"), EntriesSource({}), messages, limits=Limits(payload=5_000)
    )
    assert 2 <= len(block.body.messages) <= 4


@pytest.mark.parametrize("what", ["events", "malformed"])
def test_events_and_malformed_text_count_as_well(what: str) -> None:
    noise: dict[str, Any] = {"x" * 1_000: 1}
    if what == "events":
        noise = {"type": "run", "args": {"steps": [{"do": "delete", "key": "a"}] * 20}}
    messages = [message(number, [noise]) for number in range(1, 30)]
    block = execute(
        Cells(), Head(machine="m"), EntriesSource({}), messages, limits=Limits(payload=4_000)
    )
    assert len(block.body.messages) < 10


class Verbose(Machine):
    @action
    def ask(self, state: State, context: Context) -> None:
        raise Reject("\x01" * 1_000)


def test_reasons_count_as_they_are_written() -> None:
    messages = [message(number, [{"type": "ask"}]) for number in range(1, 30)]
    block = execute(
        Verbose(), Head(machine="m"), EntriesSource({}), messages, limits=Limits(payload=30_000)
    )
    assert len(block.body.messages) == 5
    assert 30_000 <= len(block.payload) < 36_000


@pytest.mark.parametrize("split", [1, 3, 10])
def test_a_message_is_parsed_once_however_many_blocks_it_is_split_over(
    monkeypatch: pytest.MonkeyPatch, split: int
) -> None:
    parsed: list[str] = []

    def counting(body: str) -> Any:
        parsed.append(body)
        return parse(body)

    monkeypatch.setattr(action_module, "parse", counting)
    messages = notes_as_messages([25, 2, 25])
    blocks = list(all_blocks(messages, Limits(actions=split)))
    assert sum(block.actions for block in blocks) == 52
    assert parsed == [each.body for each in messages]


def test_a_parsed_message_is_the_same_message_and_its_body_counts() -> None:
    one, other = notes_as_messages([1, 2])
    fresh = replace(one)
    assert len(one.asked) == 1
    assert (one, hash(one), repr(one)) == (fresh, hash(fresh), repr(fresh))
    assert replace(one, first=0).asked is one.asked
    assert replace(one, body=other.body).asked == other.asked


def test_an_action_larger_than_any_block_still_goes_in() -> None:
    messages = runs_as_messages([[sized(100_000)], [sized(10)]])
    block = execute(
        Cells(), Head(machine="m"), EntriesSource({}), messages, limits=Limits(payload=1_000)
    )
    assert shape(block) == [("message-1", 0, 1)]
    assert len(block.body.changes["a"] or b"") == 100_002


def test_when_time_presses_the_block_is_cut_but_never_empty() -> None:
    block = execute(
        Journal(),
        Head(machine="m"),
        EntriesSource({}),
        notes_as_messages([3, 3]),
        pressed=lambda: True,
    )
    assert shape(block) == [("message-1", 0, 1)]
    assert block.body.marks[0].next == 1


def test_counts_and_times_of_the_header() -> None:
    first, second = notes_as_messages([2, 1])
    bad = replace(second, body="nonsense")
    block = execute(Journal(), Head(machine="m"), EntriesSource({}), [first, bad])
    assert block.header.outcomes == (2, 0, 0, 1)
    assert block.actions == 3
    assert block.header.time == second.sent
    assert block.header.changes == len(block.body.changes) == 3
    assert block.header.code == "Journal/1"
    assert (block.head.number, block.head.ordinal) == (1, 3)
