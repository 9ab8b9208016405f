"""A state from outside as a machine's first block."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.adapters.disk_sort import DiskSort
from blockfold.application import import_lines
from blockfold.application.import_lines import Entry
from blockfold.application.import_state import Importer
from blockfold.application.restore import Restored, Target
from blockfold.domain.block import Head
from blockfold.domain.canonical import Json, decode, encode
from blockfold.domain.errors import BlockfoldError, LimitExceeded, Misconfigured, Refused
from blockfold.domain.manifest import to_line
from blockfold.domain.replay import chained
from blockfold.domain.schedule import Schedule
from tests.properties.histories import NEVER
from tests.snapshots.stack import Stack, put
from tests.strategies import keys, small_values

MOVED = "moved"
STATE: dict[str, Any] = {"b": 1, "a": {"x": [1.5, None]}, "é": "ü", "a/1": True}


class ListSort:
    """A `Sorter` in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def sorted(self) -> Any:
        return iter(sorted(self.entries))


def lines_of(state: dict[str, Any]) -> list[bytes]:
    return [json.dumps({"key": key, "value": value}).encode() for key, value in state.items()]


def moved_in(stack: Stack, lines: list[bytes]) -> Restored:
    importer = Importer(stack.log, stack.snapshots)
    uploaded = importer.upload(MOVED, import_lines.lines(lines), ListSort())
    target = Target(MOVED, imported=uploaded.key)
    return stack.restorer().carry_out(target, deadline=NEVER)


@given(st.dictionaries(keys, small_values, max_size=20), st.randoms())
def test_any_state_in_any_order_is_the_machines_first(
    state: dict[str, Any], random: Random
) -> None:
    stack = Stack(schedule=Schedule.new(2))
    lines = lines_of(state)
    random.shuffle(lines)
    done = moved_in(stack, lines)
    canonical = {key: decode(encode(value)) for key, value in state.items()}
    assert stack.stored(MOVED) == canonical == stack.state_at(1, MOVED)
    assert (done.block.number, done.restored, done.written) == (1, 0, len(state))
    assert stack.state_at(0, MOVED) == {}
    stack.run(put("next", 1), machine=MOVED)
    assert stack.stored(MOVED) == {**canonical, "next": 1}
    stack.assert_whole(MOVED)
    difference = stack.reader().difference(MOVED, 0, 1)
    assert difference.added.keys() == state.keys()


def test_the_block_says_that_it_came_from_outside() -> None:
    stack = Stack(schedule=Schedule.new(3))
    block = moved_in(stack, lines_of(STATE)).block
    origin = block.body.origin
    assert origin is not None
    assert (origin.kind, origin.machine, origin.number) == ("import", "", 0)
    manifest = stack.snapshots.open(origin.manifest)
    assert (manifest.number, manifest.hash, manifest.code) == (0, origin.hash, "import/1")
    assert list(chained(Head(machine=MOVED), stack.blocks(MOVED))) == [block]
    assert stack.taken(MOVED) == []
    stack.grow(5, MOVED)
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken(MOVED) == [3, 6]
    assert stack.entries(6, MOVED) == stack.state_at(6, MOVED)


def test_it_can_be_restored_and_forked_as_any_other() -> None:
    stack = Stack()
    moved_in(stack, lines_of(STATE))
    stack.grow(3, MOVED)
    stack.restore(1, MOVED)
    assert stack.stored(MOVED) == STATE
    stack.restore(1, MOVED, fork="copy")
    assert stack.stored("copy") == STATE
    for machine in (MOVED, "copy"):
        stack.assert_whole(machine)


def test_what_export_writes_comes_back() -> None:
    stack = Stack()
    stack.grow(9)
    entries = stack.reader().state("m").entries
    moved_in(stack, [to_line(key, value) for key, value in entries.items()])
    assert stack.rows(MOVED) == entries
    blocks = stack.blocks("m")
    assert stack.blocks(MOVED)[0].header.digest == blocks[-1].header.digest


def test_an_empty_state() -> None:
    stack = Stack()
    assert moved_in(stack, [b"\n", b"  \n"]).block.header.keys == 0
    stack.grow(2, MOVED)
    stack.assert_whole(MOVED)


def test_importing_again_is_refused_once_it_is_done() -> None:
    stack = Stack()
    moved_in(stack, lines_of(STATE))
    before = stack.contents()
    with pytest.raises(Refused, match=r"'moved' exists already .*import under another id"):
        moved_in(stack, lines_of(STATE))
    with pytest.raises(Refused, match="exists already"):
        moved_in(stack, lines_of({"a": 1}))
    assert {**stack.contents(), "objects": {}} == {**before, "objects": {}}
    stack.grow(1, MOVED)
    assert len(stack.blocks(MOVED)) == 2
    with pytest.raises(Refused, match="exists already"):
        Importer(stack.log, stack.snapshots).upload(MOVED, iter(()), ListSort())


def test_a_machine_that_came_otherwise_is_refused_before_anything_is_read() -> None:
    stack = Stack()
    stack.grow(1, MOVED)
    before = stack.contents()

    def unread() -> Any:
        raise AssertionError("nothing may be read")
        yield

    with pytest.raises(Refused, match="exists already"):
        Importer(stack.log, stack.snapshots).upload(MOVED, unread(), ListSort())
    assert stack.contents() == before


def test_what_was_uploaded_for_one_machine_is_not_for_another() -> None:
    stack = Stack()
    key = Importer(stack.log, stack.snapshots).upload(MOVED, iter(()), ListSort()).key
    with pytest.raises(Misconfigured, match="not a state for machine 'other'"):
        stack.restorer().carry_out(Target("other", imported=key), deadline=NEVER)
    stack.grow(2)
    stack.dumper().dump("m", 2)
    manifest = "machines/m/snapshots/000000000002.json"
    with pytest.raises(Refused, match="machine 'm' exists already"):
        stack.restorer().carry_out(Target("m", imported=manifest), deadline=NEVER)
    assert stack.log.head("other") is None


# -- what is no state ------------------------------------------------------------------------------

WRONG: list[tuple[bytes, type[BlockfoldError], str]] = [
    (b"x", Misconfigured, "line 2 is no entry"),
    (b"[]", Misconfigured, "line 2 is no entry"),
    (b'{"key": "a"}', Misconfigured, "line 2 is no entry.*`value`"),
    (b'{"value": 1}', Misconfigured, "line 2 is no entry.*`key`"),
    (b'{"key": "a", "value": 1, "more": 1}', Misconfigured, "line 2 is no entry.*`more`"),
    (b'{"key": 5, "value": 1}', Misconfigured, "line 2 is no entry"),
    (b'{"key": "a", "value": 1} {}', Misconfigured, "line 2 is no entry"),
    (b'{"key": "\xff", "value": 1}', Misconfigured, "line 2 is no entry"),
    (b'{"key": "", "value": 1}', LimitExceeded, "line 2: a state key has 1 to"),
    (b'{"key": "' + b"k" * 1025 + b'", "value": 1}', LimitExceeded, "line 2: a state key"),
    (b'{"key": "a", "value": 1e300}', LimitExceeded, "line 2: a number"),
    (b'{"key": "a", "value": ' + b"[" * 29 + b"]" * 29 + b"}", LimitExceeded, "line 2: .*deep"),
    (b'{"key": "a", "value": "' + b"x" * 360_000 + b'"}', LimitExceeded, "line 2: the value has"),
    (b'{"key": "first", "value": 2}', Misconfigured, "line 2 has the key 'first', as line 1"),
]


@pytest.mark.parametrize(("line", "error", "what"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_entry_is_named_and_nothing_is_stored(
    line: bytes, error: type[BlockfoldError], what: str
) -> None:
    stack = Stack()
    before = stack.contents()
    with pytest.raises(error, match=what):
        moved_in(stack, [b'{"key": "first", "value": 1}\n', line])
    assert stack.contents() == before


# -- one JSON object -------------------------------------------------------------------------------


@given(st.dictionaries(keys, small_values, max_size=20))
def test_an_object_holds_what_lines_would(state: dict[str, Any]) -> None:
    found = sorted(import_lines.members(json.dumps(state).encode()))
    assert found == sorted(
        Entry(each.key, each.place, each.value) for each in import_lines.lines(lines_of(state))
    )


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is no JSON"),
        (b"[1]", "is no JSON object .*jsonl"),
        (b"5", "is no JSON object"),
        (b'{"key": 1', "is no JSON"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": 1, "b": {"a": 1}, "a": 2}', "entry 3 has the key 'a', as entry 1"),
        (b"\xff{}", "is no JSON"),
    ],
)
def test_what_is_no_object_is_refused(data: bytes, what: str) -> None:
    stack = Stack()
    with pytest.raises(Misconfigured, match=what):
        Importer(stack.log, stack.snapshots).upload(
            MOVED, import_lines.members(data), ListSort(), unit="entry"
        )
    assert stack.contents() == Stack().contents()


# -- sorting on disk -------------------------------------------------------------------------------


@given(st.lists(st.tuples(keys, small_values), max_size=40), st.integers(1, 300))
def test_pieces_on_disk_are_merged_as_memory_would_sort(
    found: list[tuple[str, Json]], piece: int
) -> None:
    import tempfile

    entries = [Entry(key, place, encode(value)) for place, (key, value) in enumerate(found)]
    with tempfile.TemporaryDirectory() as folder:
        sorter = DiskSort(Path(folder), piece=piece)
        for entry in entries:
            sorter.add(entry)
        for _ in range(2):
            assert list(sorter.sorted()) == sorted(entries)


def test_no_more_than_a_piece_stays_in_memory(tmp_path: Path) -> None:
    sorter = DiskSort(tmp_path, piece=1_000)
    for number in range(500):
        sorter.add(Entry(f"{number * 7919 % 500:03}", number, b'"0123456789"'))
        assert sum(len(each.key) + len(each.value) for each in sorter._entries) < 1_000
    assert len(list(tmp_path.iterdir())) == 500 * 15 // 1_005
    assert [entry.key for entry in sorter.sorted()] == [f"{number:03}" for number in range(500)]
