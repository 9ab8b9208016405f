"""A scan that begins above a key gives what a whole scan gives there, whatever holds the state."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Head, State
from blockfold.adapters.memory import MemoryStateTable
from blockfold.application.frames import PastSource
from blockfold.application.history import Delta
from blockfold.application.tail import Tail
from blockfold.domain.canonical import MAX_KEY_BYTES, Canonical, encode
from blockfold.domain.errors import LimitExceeded
from blockfold.domain.replay import EntriesSource
from blockfold.domain.spans import LAST, last_with
from blockfold.domain.state import Changes, Source
from blockfold.ports import Write
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack, drop, put

ONE, TWO = encode(1), encode(2)
KEYS = ["a", "a/", "a/1", "a/10", "a/2", "a0", "ab", "b", "é", "é/1", "\uffee", "\U0010ffff"]
keys = st.sampled_from(KEYS)
PREFIXES = ["", "a", "a/", "é"]
AFTERS = ["", "a/", "a/10", "b"]
changes = st.dictionaries(keys, st.sampled_from([ONE, TWO, None]), max_size=8)


def plain(entries: dict[str, Canonical]) -> Source:
    return EntriesSource(entries)


def tail(entries: dict[str, Canonical]) -> Source:
    """Some of it in the table, some pending over older values, some deletions pending."""
    table = MemoryStateTable()
    table.write("m", [Write(key, entries.get(key, TWO), 1) for key in KEYS[::2]])
    found = Tail(Head(machine="m"), 0, table)
    for key in KEYS:
        if key in KEYS[1::2] or key not in entries:
            found.pending[key] = Write(key, entries.get(key), 2)
    return found


def past(entries: dict[str, Canonical]) -> Source:
    """Some of it in a snapshot, some changed since."""
    stack = Stack()
    stack.run(*(put(key, 1) for key in KEYS[::3]))
    block = stack.blocks()[0]
    old = dict.fromkeys(KEYS[::3], ONE)
    base = stack.snapshots.save(block, sorted(old.items()))
    since: Changes = {key: entries.get(key) for key in KEYS if entries.get(key) != old.get(key)}
    return PastSource(Delta(block.head, base, since, stack.snapshots))


@pytest.mark.parametrize("source", [plain, tail, past])
@given(before=changes, block=changes, action=changes)
def test_a_scan_from_anywhere(
    source: Callable[[dict[str, Canonical]], Source],
    before: Changes,
    block: Changes,
    action: Changes,
) -> None:
    entries = {key: value for key, value in before.items() if value is not None}
    state = State(source(entries))
    model = {key: 1 if value == ONE else 2 for key, value in entries.items()}
    for layer in (block, action):
        for key, value in layer.items():
            if value is not None:
                state[key] = model[key] = 1 if value == ONE else 2
            elif model.pop(key, None) is not None:
                del state[key]
        if layer is block:
            state.keep(state.collect())
            state.keep_message()
    ordered = sorted(model.items())
    for prefix, after in product(PREFIXES, AFTERS):
        expected = [(k, v) for k, v in ordered if k.startswith(prefix) and k > after]
        assert list(state.scan(prefix, after=after)) == expected
        assert list(state.scan_keys(prefix, after=after)) == [key for key, _ in expected]
    assert state.get_many(KEYS) == model
    assert state.get_many([]) == {}


@given(
    prefix=st.text(st.characters(codec="utf-8"), max_size=300)
    | st.sampled_from(["", "x" * MAX_KEY_BYTES, "é" * 511, LAST[:-1], LAST]),
    more=st.text(st.sampled_from(["\x7f", "\u07ff", "\uffff", "\U0010ffff", "a"]), max_size=300),
)
def test_no_key_with_a_prefix_is_above_the_last(prefix: str, more: str) -> None:
    if len(prefix.encode()) > MAX_KEY_BYTES:
        with pytest.raises(LimitExceeded):
            last_with(prefix)
        return
    last = last_with(prefix)
    assert last.startswith(prefix)
    assert len(last.encode()) == MAX_KEY_BYTES
    key = (prefix + more).encode()[:MAX_KEY_BYTES].decode(errors="ignore")
    assert key <= last


def test_bounds_that_no_key_can_be() -> None:
    state = State(EntriesSource({}))
    for call in (state.scan, state.scan_keys):
        with pytest.raises(LimitExceeded):
            list(call("x" * 2000))
        with pytest.raises(LimitExceeded):
            list(call("", after="\ud800"))
    with pytest.raises(LimitExceeded):
        state.get_many([""])


def test_the_steps_before_a_page_are_not_read() -> None:
    """The tail asks the table only for what comes behind."""
    stack = Stack()
    stack.run(*(put(f"k/{number}", number) for number in range(10)))
    stack.run(drop("k/7"))
    asked: list[tuple[str, str]] = []

    class Watched(MemoryStateTable):
        def between(self, machine, after, upto):  # type: ignore[no-untyped-def]
            asked.append((after, upto))
            return stack.table.between(machine, after, upto)

    found = Tail.open(MACHINE, stack.log, stack.table, stack.machines)
    found._table = Watched()
    assert list(found.scan("k/", "k/5")) == [(f"k/{n}", encode(n)) for n in (6, 8, 9)]
    assert asked == [("k/5", last_with("k/"))]
    assert list(found.scan("k/", "z")) == []
    assert len(asked) == 1
