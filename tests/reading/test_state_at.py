"""A state that an application holds stays the state of its block, whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.read import Reader
from blockfold.application.restore import Target
from blockfold.application.state_at import TRUSTED_SECONDS, StateAt, at_head
from blockfold.domain.canonical import Json, decode
from blockfold.domain.errors import Corrupted, NotFound
from tests.faults import Faults, Killed, faulty, kill
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, drop, put
from tests.strategies import keys, small_values, steps

State = dict[str, Json]


@dataclass
class Hand:
    """A clock that is moved by hand."""

    seconds: float = 0.0

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def whole(state: StateAt) -> State:
    return {key: decode(data) for key, data in state.scan("")}


def assert_is(state: StateAt, expected: State) -> None:
    """It is that state, however it is read."""
    assert whole(state) == expected
    asked = [*expected, "nowhere"]
    found = state.get_many(asked)
    assert {key: decode(data) for key, data in found.items()} == expected
    for prefix, after in (("a", ""), ("a/", "a/b"), ("key/", "key/2"), ("", "b"), ("b", "c")):
        some = {k: decode(data) for k, data in state.scan(prefix, after)}
        assert some == {k: v for k, v in expected.items() if k.startswith(prefix) and k > after}
        assert list(some) == sorted(some)
    for key in ("a", "a/b", "count"):
        data = state.get(key)
        assert (None if data is None else decode(data)) == expected.get(key)


moves = st.one_of(
    st.tuples(st.just("run"), st.lists(steps.filter(lambda each: each["do"] != "list"))),
    st.tuples(st.just("lag"), st.lists(st.builds(put, keys, small_values), min_size=1)),
    st.tuples(st.just("lag"), st.lists(st.builds(drop, keys), min_size=1)),
    st.tuples(st.just("dump"), st.just([])),
    st.tuples(st.just("restore"), st.integers(0, 30)),
    st.tuples(st.just("open"), st.just([])),
)


@given(some=st.lists(moves, min_size=4, max_size=12))
def test_a_state_that_is_held_stays(some: list[tuple[str, object]]) -> None:
    stack = Stack()
    stack.grow(2)
    clock = Hand()
    held = [(at_head(stack.reader(), MACHINE, clock), stack.state_at(2))]
    for verb, what in some:
        if verb == "run":
            stack.run(*what)  # type: ignore[misc]
        elif verb == "lag":
            stack.lag(put("lag", stack.pushed), *what)  # type: ignore[misc]
        elif verb == "dump":
            stack.dumper().dump(MACHINE, stack.head())
        elif verb == "restore":
            stack.restore(1 + int(what) % stack.head())  # type: ignore[call-overload]
        else:
            state = at_head(stack.reader(), MACHINE, clock)
            assert state.number == stack.head()
            held.append((state, stack.state_at(stack.head())))
    for state, expected in held:
        assert_is(state, expected)
        assert state.digest == StateAt(stack.reader(), MACHINE, state.number).digest
        assert_is(StateAt(stack.reader(), MACHINE, state.number), expected)
    clock.seconds = TRUSTED_SECONDS + 1
    for state, expected in held:
        assert_is(state, expected)


def others(stack: Stack) -> None:
    """What others may do between any two calls: commit, lag behind, flush."""
    stack.lag(put("a", stack.pushed), put(f"b/{stack.pushed}", 1))
    stack.lag(drop("a"), put("key/1", "new"))
    stack.run(drop("key/2"), put("a/b", stack.pushed))


@pytest.mark.parametrize("lagging", [False, True])
def test_whatever_others_commit_between_two_calls(lagging: bool) -> None:
    """At each call of a port once: what is read is the state of the block that is named."""

    def read(strikes: list[int]) -> tuple[int, int]:
        stack = Stack()
        stack.grow(6)
        if lagging:
            stack.lag(put("a", "lagging"), drop("key/3"))
        faults = Faults(at=strikes, moment="after", strike=lambda: others(stack))
        reader = Reader(
            faulty("log", stack.log, faults),
            faulty("table", stack.table, faults),
            faulty("machines", stack.machines, faults),
            stack.snapshots,
        )
        state = at_head(reader, MACHINE, Hand())
        found = whole(state)
        single = state.get("a"), state.get("key/2")
        expected = stack.state_at(state.number)
        assert found == expected
        assert [None if one is None else decode(one) for one in single] == [
            expected.get("a"),
            expected.get("key/2"),
        ]
        return len(faults.steps), state.number

    calls, number = read([])
    assert number == 6 + lagging
    assert calls > 8
    for call in range(calls):
        read([call])
    read(list(range(0, calls, 3)))


def test_reading_a_key_costs_one_request() -> None:
    stack = Stack()
    stack.grow(4)
    faults = Faults()
    reader = Reader(
        faulty("log", stack.log, faults),
        faulty("table", stack.table, faults),
        faulty("machines", stack.machines, faults),
        stack.snapshots,
    )
    state = at_head(reader, MACHINE, Hand())
    assert faults.steps == ["machines.get", "log.head", "log.read", "log.read.next"]
    faults.steps.clear()
    assert state.get("count") is not None
    assert state.get_many(["count", "key/1", "nowhere"]).keys() == {"count", "key/1"}
    assert faults.steps == ["table.get", "table.get"]


def test_a_deletion_whose_tombstone_is_gone() -> None:
    """Old enough to have lost a tombstone, a state is no longer read from the table."""
    stack = Stack()
    stack.run(put("a", 1))
    clock = Hand()
    state = at_head(stack.reader(), MACHINE, clock)
    stack.run(drop("a"))
    del stack.table._rows[MACHINE]["a"]  # type: ignore[attr-defined]
    clock.seconds = TRUSTED_SECONDS + 1
    assert whole(state) == {"a": 1}
    assert state.get("a") == b"1"


def test_a_log_that_was_cut_short_is_no_state() -> None:
    stack = Stack()
    stack.grow(3)
    stack.lose_block(3)
    with pytest.raises(Corrupted, match="ends at block 2, but its state table holds block 3"):
        at_head(stack.reader(), MACHINE, Hand())
    stack = Stack()
    stack.grow(1)
    stack.lag(put("a", 1))
    stack.lag(put("a", 2))
    stack.lose_block(2)
    with pytest.raises(Corrupted, match="block 2 of machine 'm' is missing"):
        at_head(stack.reader(), MACHINE, Hand())


def test_no_machine_and_no_block() -> None:
    stack = Stack()
    with pytest.raises(NotFound, match="no machine 'm'"):
        at_head(stack.reader(), MACHINE, Hand())
    stack.machines.register(MACHINE)
    state = at_head(stack.reader(), MACHINE, Hand())
    assert state.number == 0
    assert whole(state) == {}
    assert state.digest == StateAt(stack.reader(), MACHINE, 0).digest


def test_a_restore_whose_table_is_still_behind() -> None:
    """The table may be anywhere between two states: it is not asked."""
    stack = Stack()
    stack.grow(6)
    faults = Faults(strike=kill)
    restorer = stack.restorer(faults)
    whole_run = Stack()
    whole_run.grow(6)
    dry = Faults()
    whole_run.restorer(dry).carry_out(Target(MACHINE, block=2), deadline=NEVER)
    faults.at = [len(dry.steps) - 1 - dry.steps[::-1].index("table.write.row")]
    with pytest.raises(Killed):
        restorer.carry_out(Target(MACHINE, block=2), deadline=NEVER)
    state = at_head(stack.reader(), MACHINE, Hand())
    assert state.number == 7
    assert stack.blocks()[-1].body.origin is not None
    expected = stack.state_at(2)
    assert {k: decode(v) for k, v in stack.rows().items() if v} != expected
    assert_is(state, expected)
    stack.run(put("a", "later"))
    assert_is(state, expected)
