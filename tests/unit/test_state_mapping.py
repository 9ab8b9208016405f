"""The state as reducers see it, held against a plain dictionary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, MutableMapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from blockfold import State
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.errors import LimitExceeded, Unavailable
from blockfold.domain.replay import EntriesSource

START: dict[str, Any] = {"a": 1, "b": [1], "b/x": {"n": 1}, "c": "text", "é": None}


class Kind(StrEnum):
    ONE = "one"


def state_of(entries: dict[str, Any]) -> State:
    return State(EntriesSource({key: encode(value) for key, value in entries.items()}))


@pytest.fixture
def state() -> State:
    return state_of(START)


def end_action(state: State) -> dict[str, Canonical | None]:
    changes = state.collect()
    state.keep(changes)
    return changes


def test_it_is_a_mutable_mapping_in_key_order(state: State) -> None:
    assert isinstance(state, MutableMapping)
    assert list(state) == sorted(START)
    assert dict(state.items()) == START
    assert list(state.values()) == [START[key] for key in sorted(START)]
    assert len(state) == 5
    assert state == START
    assert "a" in state
    assert "nothing" not in state
    assert 1 not in state  # type: ignore[comparison-overlap]
    assert state.get("nothing", "default") == "default"


def test_it_reads_its_own_writes(state: State) -> None:
    state["a"] = 2
    state["new"] = [1]
    del state["c"]
    state.setdefault("list", []).append(1)
    state.update({"u": 1})
    assert state.pop("b") == [1]
    with pytest.raises(KeyError):
        state["c"]
    with pytest.raises(KeyError):
        del state["c"]
    assert state == {"a": 2, "b/x": {"n": 1}, "list": [1], "new": [1], "u": 1, "é": None}


def test_clear_and_popitem(state: State) -> None:
    assert state.popitem() == ("a", 1)
    state.clear()
    assert len(state) == 0
    assert not state
    assert end_action(state) == dict.fromkeys(START)


@pytest.mark.parametrize("prefix", ["", "b", "b/", "é", "x"])
def test_a_scan_sees_what_a_sorted_dictionary_holds(state: State, prefix: str) -> None:
    model = dict(START)
    state["b/a"] = model["b/a"] = 7
    state["ba"] = model["ba"] = 8
    end_action(state)
    del state["b"], model["b"]
    state["\U0001f600"] = model["\U0001f600"] = 9
    expected = [(key, model[key]) for key in sorted(model) if key.startswith(prefix)]
    assert list(state.scan(prefix)) == expected


@pytest.mark.parametrize("prefix", ["x" * 1_025, "\ud800"])
def test_a_prefix_that_no_key_can_have_is_refused_before_the_source_is_asked(prefix: str) -> None:
    state = state_of(START)
    with pytest.raises(LimitExceeded):
        list(state.scan(prefix))


def test_writing_while_iterating_is_safe(state: State) -> None:
    seen = []
    for key in state:
        seen.append(key)
        state[key + "+"] = 1
        del state[key]
    assert seen == sorted(START)
    assert list(state) == sorted(key + "+" for key in START)


def test_keys_deleted_since_are_left_out_of_a_running_iteration(state: State) -> None:
    for iteration in (state.items(), state.scan()):
        seen = []
        for key, _ in iteration:
            seen.append(key)
            state.pop("b", None)
        assert "b" not in seen


def test_a_scan_shows_values_written_since(state: State) -> None:
    scan = state.scan()
    next(scan)
    state["c"] = "later"
    assert dict(scan)["c"] == "later"


@pytest.mark.parametrize("earlier", ["never", "an action ago", "a message ago"])
def test_a_scan_shows_the_same_whether_or_not_a_key_was_touched_before_in_the_block(
    earlier: str,
) -> None:
    """Else an outcome would depend on how messages were batched."""
    start = {"a": 1, "gone": 1, "kept": 1, "z": 1}
    state = state_of({**start} if earlier != "never" else {"a": 1, "kept": 1, "z": 1})
    if earlier != "never":
        del state["gone"]
        state["kept"] = state.pop("kept")
        end_action(state)
        if earlier == "a message ago":
            state.keep_message()
    seen = []
    for key, value in state.scan():
        seen.append((key, value))
        if key == "a":
            state["gone"] = state["new"] = 2
            del state["kept"]
            state["kept"] = 3
            state["z"] = 4
    assert seen == [("a", 1), ("kept", 3), ("z", 4)]
    assert list(state) == ["a", "gone", "kept", "new", "z"]


def test_a_scan_costs_what_it_finds_not_what_the_block_changed() -> None:
    def calls(pairs: int) -> int:
        state = state_of({})
        count = 0

        def tick(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(tick)
        try:
            for number in range(pairs):
                state[f"queue/{number:06}"] = 1
                state[f"other/{number:06}"] = 1
                for key, _ in state.scan("queue/"):
                    del state[key]
                end_action(state)
                if number % 10 == 0:
                    state.keep_message()
        finally:
            sys.setprofile(None)
        return count

    assert calls(800) < 3 * calls(400)


def test_changing_a_nested_value_is_a_write(state: State) -> None:
    state["b/x"]["n"] += 1
    for key, value in state.scan("b"):
        if key == "b":
            value.append(2)
    assert state["b"] == [1, 2]
    assert end_action(state) == {"b": b"[1,2]", "b/x": b'{"n":2}'}
    assert state["b/x"] == {"n": 2}


def test_a_value_that_was_replaced_is_no_longer_the_states(state: State) -> None:
    old = state["b"]
    state["b"] = "new"
    old.append(2)
    gone = state["b/x"]
    del state["b/x"]
    gone["n"] = 9
    assert end_action(state) == {"b": b'"new"', "b/x": None}


def test_the_same_value_written_again_is_no_change_of_the_block(state: State) -> None:
    state["a"] = 1.0
    state["b"] = (1,)
    state["b/x"]["n"] = 1.0
    state["temporary"] = 1
    del state["temporary"]
    state["c"], state["é"] = state.pop("c"), state.pop("é")
    end_action(state)
    state.keep_message()
    changes, _ = state.net_changes()
    assert changes == {}


def test_reading_changes_nothing(state: State) -> None:
    for _, value in state.scan():
        assert value == value  # noqa: PLR0124
    assert end_action(state) == {}


def test_writes_that_meet_again_over_actions_cancel_out(state: State) -> None:
    for value in (2, 1):
        state["a"] = value
        del state["c"]
        state["c"] = "text"
        end_action(state)
        state.keep_message()
    assert state.net_changes()[0] == {}


def test_net_changes_are_in_key_order_with_what_was_there_before(state: State) -> None:
    state["z"] = 1
    state["a"] = 2
    del state["c"]
    end_action(state)
    state.keep_message()
    changes, before = state.net_changes()
    assert list(changes.items()) == [("a", b"2"), ("c", None), ("z", b"1")]
    assert before == {"a": b"1", "c": b'"text"', "z": None}


def test_a_dropped_action_leaves_no_trace(state: State) -> None:
    state["a"] = 2
    end_action(state)
    state["a"] = 3
    state["b"].append(2)
    del state["c"]
    state["new"] = 1
    state.drop()
    assert state == {**START, "a": 2}


def test_a_dropped_message_leaves_no_trace_of_any_of_its_actions(state: State) -> None:
    state["a"] = 2
    end_action(state)
    state.keep_message()
    for value in (3, 4):
        state["a"] = value
        state["b"].append(value)
        state.pop("c", None)
        end_action(state)
    state.drop_message()
    assert state == {**START, "a": 2}
    assert state.net_changes()[0] == {"a": b"2"}


def test_actions_do_not_share_mutable_values(state: State) -> None:
    shared: list[int] = []
    state["x"] = shared
    state["y"] = shared
    end_action(state)
    shared.append(1)
    state["x"].append(2)
    assert state["y"] == []


def test_keys_are_plain_strings_afterwards(state: State) -> None:
    state[Kind.ONE] = 1
    assert [type(key) for key in state if key == "one"] == [str]
    assert [type(key) for key in end_action(state)] == [str]


@pytest.mark.parametrize("value", [float("nan"), b"x", {1: 2}, {"x"}, "x" * 400_000])
def test_a_value_beyond_the_limits_shows_when_the_action_ends(state: State, value: object) -> None:
    state["a"] = value
    with pytest.raises(LimitExceeded):
        state.collect()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, float("nan")),
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("eA==", b"x"),
    ],
)
def test_what_is_no_json_is_refused_even_where_it_would_be_written_alike(
    before: object, after: object
) -> None:
    state = state_of({"k": {"v": before}})
    state["k"]["v"] = after
    with pytest.raises(LimitExceeded):
        state.collect()


@pytest.mark.parametrize("key", ["", "x" * 1_025, "\ud800", 5])
def test_a_key_beyond_the_limits_is_refused_at_once(state: State, key: Any) -> None:
    with pytest.raises(LimitExceeded):
        state[key] = 1
    with pytest.raises(LimitExceeded):
        state.get(key)
    assert end_action(state) == {}


class Broken:
    """A source that does not answer."""

    def get(self, key: str) -> Canonical | None:
        raise Unavailable(f"no {key}")

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        raise Unavailable("none")

    def scan(self, prefix: str) -> Iterator[tuple[str, Canonical]]:
        yield "a", b"1"
        raise Unavailable("page two")


def test_trouble_with_the_source_is_remembered_though_the_reducer_swallows_it() -> None:
    reads: tuple[Callable[[State], object], ...] = (
        lambda s: s.get("k"),
        lambda s: "k" in s,
        list,
        len,
    )
    for read in reads:
        state = State(Broken())
        with pytest.raises(Unavailable):
            read(state)
        assert isinstance(state.trouble, Unavailable)
