"""What an executor knows of a machine is exact, however little it may remember."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from blockfold import Head, Machine, State, action, execute
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines, MemoryStateTable
from blockfold.application import tail as module
from blockfold.application.tail import Bounds, Tail
from blockfold.domain.canonical import Canonical
from blockfold.domain.context import Context
from blockfold.domain.errors import Corrupted
from blockfold.domain.replay import EntriesSource, fold
from blockfold.ports import Row
from tests.strategies import message

ALL = Bounds(chunk=10**9, chunk_payload=10**9)


class Filler(Machine):
    @action
    def fill(self, state: State, context: Context, first: int, count: int) -> None:
        for number in range(first, first + count):
            state[f"{number:05}"] = [context.ordinal, state.get(f"{number:05}")]

    @action
    def empty(self, state: State, context: Context, count: int) -> None:
        for number in range(count):
            state.pop(f"{number:05}", None)


class CountingTable(MemoryStateTable):
    """A table that counts how often it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        self.reads += 1
        return super().get(machine, keys)

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        self.reads += 1
        return super().scan(machine, prefix)


def fill(first: int, count: int) -> dict[str, Any]:
    return {"type": "fill", "args": {"first": first, "count": count}}


def flush(tail: Tail, table: MemoryStateTable, bounds: Bounds = ALL) -> None:
    """Store what comes next of what is pending."""
    writes = tail.oldest(bounds)
    table.write("m", writes)
    tail.settle(writes)
    tail.rise(tail.settled)


ROUNDS: list[dict[str, Any]] = [
    fill(0, 300),
    fill(100, 300),
    {"type": "empty", "args": {"count": 150}},
    fill(50, 200),
]


@pytest.mark.parametrize("memory", [0, 5_000, 10**9])
@pytest.mark.parametrize("flush_every", [1, 2, 99])
def test_a_tail_reads_like_the_whole_state(
    monkeypatch: pytest.MonkeyPatch, memory: int, flush_every: int
) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN_BYTES", memory)
    table = MemoryStateTable()
    tail = Tail(Head(machine="m"), 0, table)
    entries: dict[str, Canonical] = {}
    for number, sent in enumerate(ROUNDS, start=1):
        batch = [message(number, [sent])]
        block = execute(Filler(), tail.head, tail, batch)
        assert block == execute(Filler(), tail.head, EntriesSource(dict(entries)), batch)
        tail.advance(block)
        fold(entries, block)
        if number % flush_every == 0:
            flush(tail, table)
        keys = [f"{each:05}" for each in range(450)]
        assert tail.get_many(keys) == entries
        assert [tail.get(key) for key in keys] == [entries.get(key) for key in keys]
        assert dict(tail.scan("")) == entries
        assert [key for key, _ in tail.scan("001")] == sorted(
            key for key in entries if key.startswith("001")
        )


def test_what_is_known_is_not_read_again() -> None:
    table = CountingTable()
    tail = Tail(Head(machine="m"), 0, table)
    block = execute(Filler(), tail.head, tail, [message(1, [fill(0, 20)])])
    tail.advance(block)
    flush(tail, table)
    reads = table.reads
    tail.get_many([f"{each:05}" for each in range(20)])
    assert table.reads == reads


def test_the_first_write_of_a_key_is_marked_as_new_and_later_ones_are_not() -> None:
    table = MemoryStateTable()
    tail = Tail(Head(machine="m"), 0, table)
    tail.advance(execute(Filler(), tail.head, tail, [message(1, [fill(0, 2)])]))
    assert [write.new for write in tail.pending.values()] == [True, True]
    flush(tail, table)
    assert tail.pending == {}
    tail.advance(execute(Filler(), tail.head, tail, [message(2, [fill(1, 2)])]))
    assert {write.key: write.new for write in tail.pending.values()} == {
        "00001": False,
        "00002": True,
    }


def test_a_tail_does_not_take_a_block_that_does_not_follow() -> None:
    tail = Tail(Head(machine="m"), 0, MemoryStateTable())
    block = execute(Filler(), tail.head, tail, [message(1, [fill(0, 2)])])
    tail.advance(block)
    with pytest.raises(Corrupted):
        tail.advance(block)
    assert tail.head == block.head


def test_opening_makes_up_for_blocks_that_were_not_flushed() -> None:
    log, table, machines = MemoryBlockLog(), MemoryStateTable(), MemoryMachines()
    first = execute(Filler(), Head(machine="m"), EntriesSource({}), [message(1, [fill(0, 2)])])
    entries: dict[str, Canonical] = {}
    fold(entries, first)
    second = execute(Filler(), first.head, EntriesSource(entries), [message(2, [fill(1, 2)])])
    fold(entries, second)
    log.append(first)
    log.append(second)
    tail = Tail.open("m", log, table, machines)
    assert (tail.head, tail.flushed) == (second.head, 0)
    assert dict(tail.scan("")) == entries
    assert {write.key: write.block for write in tail.pending.values()} == {
        "00000": 1,
        "00001": 2,
        "00002": 2,
    }


def test_a_gap_in_the_unflushed_blocks_is_noticed() -> None:
    log, table, machines = MemoryBlockLog(), MemoryStateTable(), MemoryMachines()
    whole = MemoryBlockLog()
    head = Head(machine="m")
    entries: dict[str, Canonical] = {}
    for number in range(3):
        block = execute(
            Filler(), head, EntriesSource(entries), [message(number + 1, [fill(number, 1)])]
        )
        fold(entries, block)
        whole.append(block)
        if number != 1:
            log.append(block)
        head = block.head
    with pytest.raises(Corrupted, match=r"block 2 of machine 'm' is missing"):
        Tail.open("m", log, table, machines)
    assert Tail.open("m", whole, table, machines).get("00001") == entries["00001"]


def test_a_hot_key_counts_once_and_keeps_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    table = CountingTable()
    tail = Tail(Head(machine="m"), 0, table)
    monkeypatch.setattr(module, "MAX_KNOWN_BYTES", 20 * module.ENTRY_BYTES)
    tail.advance(execute(Filler(), tail.head, tail, [message(1, [fill(0, 10)])]))
    flush(tail, table)
    known = tail.known_bytes
    for number in range(2, 60):
        tail.advance(execute(Filler(), tail.head, tail, [message(number, [fill(0, 1)])]))
        flush(tail, table)
    assert tail.known_bytes < known + 3_000, "its value grows a little"
    reads = table.reads
    tail.get_many([f"{each:05}" for each in range(10)])
    assert table.reads == reads


def test_what_is_flushed_first_is_of_the_oldest_block_and_flushed_rises_behind_it() -> None:
    table = MemoryStateTable()
    tail = Tail(Head(machine="m"), 0, table)
    for number, sent in enumerate((fill(0, 4), fill(2, 1), fill(1, 1)), start=1):
        tail.advance(execute(Filler(), tail.head, tail, [message(number, [sent])]))
    size = tail.unflushed_bytes
    two = Bounds(chunk=2)
    assert [write.key for write in tail.oldest(two)] == ["00000", "00003"]
    risen = []
    while tail.pending:
        flush(tail, table, two if len(tail.pending) == 4 else Bounds(chunk=1))
        risen.append(tail.flushed)
        assert dict(tail.scan("")).keys() == {"00000", "00001", "00002", "00003"}
    assert risen == [1, 2, 3]
    assert size > 0
    assert tail.unflushed_bytes == 0


def test_a_chunk_is_bounded_in_bytes() -> None:
    tail = Tail(Head(machine="m"), 0, MemoryStateTable())
    tail.advance(execute(Filler(), tail.head, tail, [message(1, [fill(0, 9)])]))
    assert len(tail.oldest(Bounds(chunk_payload=1))) == 1
    assert len(tail.oldest(Bounds(chunk_payload=30))) in range(2, 9)


@pytest.mark.parametrize("bounds", [Bounds(writes=3), Bounds(payload=300)])
def test_a_tail_longer_than_the_bounds_is_stale_and_not_read_to_its_end(bounds: Bounds) -> None:
    log, table, machines = MemoryBlockLog(), MemoryStateTable(), MemoryMachines()
    tail = Tail(Head(machine="m"), 0, table)
    for number in range(1, 6):
        block = execute(Filler(), tail.head, tail, [message(number, [fill(number * 2, 2)])])
        log.append(block)
        tail.advance(block)
    opened = Tail.open("m", log, table, machines, bounds)
    assert (opened.head, opened.stale) == (tail.head, True)
    assert len(opened.pending) < len(tail.pending)
    assert not Tail.open("m", log, table, machines).stale


def test_a_lost_state_table_is_noticed_and_the_way_out_rebuilds_it() -> None:
    log, machines = MemoryBlockLog(), MemoryMachines()
    block = execute(Filler(), Head(machine="m"), EntriesSource({}), [message(1, [fill(0, 2)])])
    log.append(block)
    machines.register("m")
    machines.raise_watermark("m", "flushed", 1)
    lost = MemoryStateTable()
    with pytest.raises(Corrupted, match=r"lacks key '00000' of block 1: rows were lost") as caught:
        Tail.open("m", log, lost, machines)
    assert "remove the attribute flushed" in caught.value.hint
    rebuilt = Tail.open("m", log, lost, MemoryMachines())
    assert {write.key for write in rebuilt.pending.values()} == {"00000", "00001"}
