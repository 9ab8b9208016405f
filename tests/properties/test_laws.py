"""Laws 1, 2, 3, 5 and 6, and independence of batching, through executors on stores in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Block, Head, Limits, Message
from blockfold.adapters.memory import MemoryMachines, MemoryStateTable
from blockfold.application.execute import Executor
from blockfold.domain import digest
from blockfold.domain.block import Mark, payload_hash
from blockfold.domain.canonical import Canonical, Json
from blockfold.domain.errors import Corrupted
from blockfold.domain.replay import EntriesSource, chained, fold, folded_total, reexecute
from tests.machines_for_tests import Cells, Journal, model_run
from tests.properties.histories import (
    MACHINE,
    NEVER,
    Ports,
    decoded,
    fold_all,
    history,
    recorded,
)
from tests.strategies import cuts, message, notes_as_messages, pieces, runs, runs_as_messages

packed_runs = st.lists(st.lists(runs, min_size=1, max_size=4), min_size=1, max_size=8)
limits_of_blocks = st.builds(Limits, actions=st.integers(1, 6))
lengths_of_messages = st.lists(st.integers(1, 7), min_size=1, max_size=8)


def expected_records(messages: Sequence[Message]) -> list[tuple[str, int]]:
    """Each action of each message once, in order."""
    return [
        (each.id, position) for each in messages for position in range(len(json.loads(each.body)))
    ]


def states_of_the_model(blocks: Sequence[Block]) -> list[dict[str, Json]]:
    """The state after each block of `Cells`, by the model, from the actions in the blocks."""
    entries: dict[str, Json] = {}
    states = [entries]
    for block in blocks:
        for _, _, record in block.body.actions:
            entries = model_run(entries, msgspec.json.decode(record.args))
        states.append(entries)
    return states


# -- law 1: exactly once, in order ---------------------------------------------------------------


@given(
    lengths=lengths_of_messages,
    limits=limits_of_blocks,
    deliveries=st.lists(
        st.tuples(
            st.integers(0, 3),  # how many acknowledged messages come again
            st.integers(1, 10),  # size of the batch
            st.integers(0, 10),  # how many acknowledgements get through
            st.integers(1, 30) | st.just(NEVER),  # time that the executor has
            st.booleans(),  # whether it is a cold one
        ),
        max_size=12,
    ),
)
def test_each_action_stands_once_and_in_order_whatever_is_delivered_again(
    lengths: list[int], limits: Limits, deliveries: list[tuple[int, int, int, float, bool]]
) -> None:
    messages = notes_as_messages(lengths)
    ports = Ports()
    executor = ports.executor(Journal(), limits)
    acknowledged = 0
    for again, size, kept, time, cold in deliveries:
        executor = ports.executor(Journal(), limits) if cold else executor
        start = max(0, acknowledged - again)
        batch = messages[start : start + size]
        clock = executor.clock
        folded = executor.fold(MACHINE, batch, deadline=clock.monotonic() + time)
        assert folded.error is folded.flush_error is None
        in_order = [each.id in folded.done for each in batch]
        assert in_order == sorted(in_order, reverse=True)
        acknowledged = max(acknowledged, start + min(kept, sum(in_order)))
    fold_all(ports.executor(Journal(), limits), messages)
    assert list(recorded(ports.blocks())) == expected_records(messages)
    stored = ports.stored()
    assert stored.pop("count") == sum(lengths)
    notes: list[Any] = [stored[key] for key in sorted(stored)]
    assert [note["text"] for note in notes] == [str(n) for n in range(sum(lengths))]


@given(
    lengths=lengths_of_messages,
    other_lengths=lengths_of_messages,
    limits=limits_of_blocks,
    choices=st.lists(st.booleans(), max_size=16),
)
def test_two_queues_of_one_machine_keep_their_own_order(
    lengths: list[int], other_lengths: list[int], limits: Limits, choices: list[bool]
) -> None:
    one = notes_as_messages(lengths)
    two = [
        replace(each, queue="other", id=f"other-{each.id}")
        for each in notes_as_messages(other_lengths)
    ]
    ports = Ports()
    executor = ports.executor(Journal(), limits)
    queues = [one, two]
    for choice in choices:
        batch = queues[choice][:2]
        folded = executor.fold(MACHINE, batch, deadline=executor.clock.monotonic() + 8)
        queues[choice] = [each for each in queues[choice] if each.id not in folded.done]
    for queue in queues:
        fold_all(ports.executor(Journal(), limits), queue)
    found = list(recorded(ports.blocks()))
    assert [each for each in found if not each[0].startswith("other")] == expected_records(one)
    assert [each for each in found if each[0].startswith("other")] == expected_records(two)


# -- law 2: the log is the truth -----------------------------------------------------------------


@given(packed_runs, cuts(5), limits_of_blocks)
def test_a_lost_state_table_comes_back_from_the_log(
    packed: list[list[dict[str, Any]]], lengths: list[int], limits: Limits
) -> None:
    ports = history(Cells(), pieces(runs_as_messages(packed), lengths), limits)
    lost, head = ports.stored(), ports.blocks()[-1]
    ports.table, ports.machines = MemoryStateTable(), MemoryMachines()
    for _ in range(2):
        folded = ports.executor(Cells(), limits).fold(MACHINE, [], deadline=NEVER)
        assert folded.error is folded.flush_error is None
        assert ports.stored() == lost
    rows = [(row.key, row.value) for row in ports.table.scan(MACHINE) if row.value is not None]
    assert digest.digest_of(digest.sum_of(rows)) == head.header.digest
    assert ports.blocks()[-1] == head


@given(packed_runs, cuts(5), limits_of_blocks, st.randoms())
def test_flushing_again_or_late_changes_nothing(
    packed: list[list[dict[str, Any]]], lengths: list[int], limits: Limits, random: Any
) -> None:
    ports = Ports()
    messages = runs_as_messages(packed)
    writes: list[Any] = []
    original = ports.table.write

    def write(machine: str, batch: Sequence[Any]) -> None:
        writes.append(list(batch))
        original(machine, batch)

    ports.table.write = write  # type: ignore[method-assign,assignment]
    executor = ports.executor(Cells(), limits)
    for batch in pieces(messages, lengths):
        fold_all(executor, batch)
    before = list(ports.table.scan(MACHINE))
    late = [each for batch in writes for each in batch]
    random.shuffle(late)
    for each in late:
        original(MACHINE, [each])
    assert list(ports.table.scan(MACHINE)) == before


# -- law 3: deterministic ------------------------------------------------------------------------


@given(packed_runs, cuts(5), limits_of_blocks)
def test_executing_a_block_again_gives_the_block(
    packed: list[list[dict[str, Any]]], lengths: list[int], limits: Limits
) -> None:
    messages = runs_as_messages(packed)
    messages.insert(1, message(0, [{"type": "unknown"}, {"no": 1}]))
    messages = [
        replace(each, sequence=str(n), sent=each.sent - n % 3)
        for n, each in enumerate(messages, start=1)
    ]
    blocks = history(Cells(), pieces(messages, lengths), limits).blocks()
    head = Head(machine=MACHINE)
    entries: dict[str, Canonical] = {}
    for block in blocks:
        again = reexecute(Cells(), head, EntriesSource(entries), block)
        assert again.payload == block.payload
        assert again.hash == block.hash
        assert again.total == block.total
        fold(entries, block)
        head = block.head


# -- independence of batching --------------------------------------------------------------------


@given(
    arguments=st.lists(runs, min_size=1, max_size=24),
    lengths=cuts(9),
    batches=cuts(6),
    limits=limits_of_blocks,
)
def test_state_outcomes_and_digest_do_not_depend_on_batching(
    arguments: list[dict[str, Any]], lengths: list[int], batches: list[int], limits: Limits
) -> None:
    def end(packed: Sequence[Sequence[dict[str, Any]]], limits: Limits | None = None) -> object:
        ports = history(Cells(), pieces(runs_as_messages(packed), batches), limits)
        blocks = ports.blocks()
        outcomes = [record.outcome for block in blocks for _, _, record in block.body.actions]
        return ports.stored(), outcomes, blocks[-1].header.digest

    one = end(pieces(arguments, [1]))
    assert end(pieces(arguments, [10])) == one
    assert end(pieces(arguments, [100])) == one
    assert end(pieces(arguments, lengths)) == one
    assert end(pieces(arguments, lengths), limits) == one


# -- laws 5 and 6: history stays, and any block can be read ---------------------------------------


@given(packed_runs, cuts(5), limits_of_blocks)
def test_the_state_at_every_block_is_the_models(
    packed: list[list[dict[str, Any]]], lengths: list[int], limits: Limits
) -> None:
    ports = history(Cells(), pieces(runs_as_messages(packed), lengths), limits)
    blocks = ports.blocks()
    states = states_of_the_model(blocks)
    reader = ports.reader()
    entries: dict[str, Canonical] = {}
    total = digest.EMPTY
    for number, state in enumerate(states):
        view = reader.state_at(MACHINE, number)
        assert decoded(view.entries) == state
        if number:
            total = folded_total(entries, total, blocks[number - 1])
            fold(entries, blocks[number - 1])
        assert decoded(entries) == state
        assert view.digest == digest.digest_of(total)
        assert total == digest.sum_of(entries.items())
    assert ports.stored() == states[-1]


@given(packed_runs, packed_runs, limits_of_blocks)
def test_going_on_leaves_the_blocks_before_as_they_were(
    packed: list[list[dict[str, Any]]], more: list[list[dict[str, Any]]], limits: Limits
) -> None:
    messages = runs_as_messages([*packed, *more])
    ports = Ports()
    fold_all(ports.executor(Cells(), limits), messages[: len(packed)])
    before = [(block.header, block.payload, block.hash) for block in ports.blocks()]
    fold_all(ports.executor(Cells(), limits), messages)
    after = [(block.header, block.payload, block.hash) for block in ports.blocks()]
    assert after[: len(before)] == before
    assert list(chained(Head(machine=MACHINE), ports.blocks())) == ports.blocks()


HEADER_CHANGES: dict[str, Any] = {
    "machine": "n",
    "number": 77,
    "epoch": 1,
    "parent": "f" * 64,
    "body": "f" * 64,
    "digest": "f" * 64,
    "ordinal": 77,
    "outcomes": (7, 7, 7, 7),
    "changes": 77,
    "keys": 77,
    "time": 7,
    "code": "Other/1",
    "format": 2,
}
CAUGHT_BY_THE_NEXT_PARENT_ONLY = {"epoch", "time", "code"}


def chain() -> list[Block]:
    """Four blocks with different outcomes."""
    run = {"steps": [{"do": "push", "key": "a", "value": 1}]}
    no = {"steps": [], "end": "reject"}
    messages = runs_as_messages([[run, no], [run], [run, no], [run]])
    return history(Cells(), [[each] for each in messages]).blocks()


def check(blocks: Sequence[Block]) -> None:
    assert list(chained(Head(machine=MACHINE), blocks)) == blocks


def test_the_chain_itself_is_good() -> None:
    assert len(chain()) == 4
    check(chain())


def test_every_field_of_the_header_is_tampered_with_below() -> None:
    assert set(HEADER_CHANGES) == set(chain()[0].header.__struct_fields__)


@pytest.mark.parametrize("field", HEADER_CHANGES)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_header_that_was_tampered_with_breaks_the_chain(field: str, position: int) -> None:
    blocks = chain()
    block = blocks[position]
    header = msgspec.structs.replace(block.header, **{field: HEADER_CHANGES[field]})
    blocks[position] = Block(header, block.payload, block.total)
    with pytest.raises(Corrupted):
        check(blocks)
    if field not in CAUGHT_BY_THE_NEXT_PARENT_ONLY:
        with pytest.raises(Corrupted):
            check(blocks[: position + 1])


@given(position=st.integers(0, 2), outcome=st.permutations(range(4)))
def test_outcomes_that_only_changed_places_are_noticed(position: int, outcome: list[int]) -> None:
    blocks = chain()
    counts = blocks[position].header.outcomes
    moved: Any = tuple(counts[each] for each in outcome)
    if moved == counts:
        return
    header = msgspec.structs.replace(blocks[position].header, outcomes=moved)
    tampered = Block(header, blocks[position].payload, blocks[position].total)
    with pytest.raises(Corrupted, match="outcomes"):
        check([*blocks[:position], tampered])


@given(position=st.integers(0, 2), place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_flipped_byte_in_a_body_is_noticed(position: int, place: int, flip: int) -> None:
    blocks = chain()
    payload = bytearray(blocks[position].payload)
    payload[place % len(payload)] ^= flip
    blocks[position] = Block(blocks[position].header, bytes(payload), blocks[position].total)
    with pytest.raises(Corrupted):
        check(blocks)


@given(position=st.integers(0, 2), bit=st.integers(0, 2047))
def test_a_flipped_bit_in_a_sum_is_noticed(position: int, bit: int) -> None:
    blocks = chain()
    block = blocks[position]
    blocks[position] = Block(block.header, block.payload, block.total ^ (1 << bit))
    with pytest.raises(Corrupted):
        check(blocks)


@pytest.mark.parametrize("order", [[1, 2], [0, 2], [0, 0, 1], [1, 0, 2], [0, 2, 1], [2]])
def test_blocks_missing_repeated_or_out_of_order_are_noticed(order: list[int]) -> None:
    blocks = chain()
    with pytest.raises(Corrupted):
        check([blocks[each] for each in order])


def test_a_body_changed_together_with_its_hash_breaks_the_next_link() -> None:
    blocks = chain()
    first = blocks[0]
    body = msgspec.structs.replace(
        first.body, marks=(Mark(queue="q", sequence="9", sent=1), *first.body.marks)
    )
    payload = msgspec.json.encode(body, order="sorted")
    header = msgspec.structs.replace(first.header, body=payload_hash(payload))
    with pytest.raises(Corrupted, match="parent"):
        check([Block(header, payload, first.total), *blocks[1:]])


def test_an_executor_notices_a_log_that_lost_what_the_table_holds() -> None:
    ports = history(Journal(), [notes_as_messages([1, 1])])
    ports.machines.raise_watermark(MACHINE, "flushed", 9)
    executor: Executor = ports.executor(Journal())
    folded = executor.fold(MACHINE, notes_as_messages([1, 1, 1]), deadline=NEVER)
    assert isinstance(folded.error, Corrupted)
    assert folded.done == set()
    assert len(ports.blocks()) == 1
