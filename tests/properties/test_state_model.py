"""A state behaves like a dictionary, whatever is done to it and however actions end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blockfold import State
from blockfold.domain.canonical import encode, normalise
from blockfold.domain.replay import EntriesSource
from tests.strategies import keys, small_values, values


class StateAgainstDictionary(RuleBasedStateMachine):
    """Rules act on a `State` and on plain dictionaries, one for each layer of it."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Any] = {}
        self.block: dict[str, Any] = {}
        self.message: dict[str, Any] = {}
        self.action: dict[str, Any] = {}
        self.state = State(EntriesSource({}))

    @initialize(start=st.dictionaries(keys, values))
    def begin(self, start: dict[str, Any]) -> None:
        self.before = {key: normalise(value) for key, value in start.items()}
        self.block, self.message, self.action = (dict(self.before) for _ in range(3))
        self.state = State(EntriesSource({k: encode(v) for k, v in self.before.items()}))

    @rule(key=keys, value=values)
    def write(self, key: str, value: Any) -> None:
        self.state[key] = value
        self.action[key] = copied(value)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        assert (key in self.state) == (key in self.action)
        assert self.state.pop(key, None) == self.action.pop(key, None)

    @rule(key=keys, value=small_values)
    def change_inside(self, key: str, value: Any) -> None:
        change(self.state.get(key), value)
        self.action = (
            {**self.action, key: copied(self.action[key])} if key in self.action else (self.action)
        )
        change(self.action.get(key), value)

    @rule(prefix=st.sampled_from(["", "a", "a/", "\U0001f600"]), value=small_values)
    def change_inside_while_scanning(self, prefix: str, value: Any) -> None:
        for _, found in self.state.scan(prefix):
            change(found, value)
        self.action = copied(self.action)
        for key in self.action:
            if key.startswith(prefix):
                change(self.action[key], value)

    @rule(key=keys, value=values)
    def ask(self, key: str, value: Any) -> None:
        assert self.state.setdefault(key, value) == self.action.setdefault(key, copied(value))

    @rule()
    def clear(self) -> None:
        self.state.clear()
        self.action = {}

    @rule()
    def end_well(self) -> None:
        self.state.keep(self.state.collect())
        self.message = {key: normalise(value) for key, value in self.action.items()}
        self.action = copied(self.message)

    @rule()
    def end_badly(self) -> None:
        self.state.drop()
        self.action = copied(self.message)

    @rule()
    def end_message(self) -> None:
        self.end_well()
        self.state.keep_message()
        self.block = dict(self.message)

    @rule()
    def undo_message(self) -> None:
        self.state.drop()
        self.state.drop_message()
        self.message = dict(self.block)
        self.action = copied(self.message)

    @invariant()
    def looks_the_same(self) -> None:
        ordered = sorted(self.action.items())
        assert list(self.state) == [key for key, _ in ordered]
        assert list(self.state.scan()) == ordered
        for prefix in ("a", "a/", "é"):
            expected = [entry for entry in ordered if entry[0].startswith(prefix)]
            assert list(self.state.scan(prefix)) == expected

    @invariant()
    def writes_just_what_differs(self) -> None:
        changes, before = self.state.net_changes()
        expected = {
            key: encode(self.block[key]) if key in self.block else None
            for key in sorted(self.before.keys() | self.block.keys())
            if encode(self.before.get(key, _ABSENT)) != encode(self.block.get(key, _ABSENT))
        }
        assert list(changes.items()) == list(expected.items())
        for key in changes:
            assert before[key] == (encode(self.before[key]) if key in self.before else None)


_ABSENT = "\x00absent"


def change(value: Any, new: Any) -> None:
    """Change a container from inside, at its deepest first place."""
    while isinstance(value, list) and value and isinstance(value[0], (list, dict)):
        value = value[0]
    if isinstance(value, list):
        value.append(copied(new))
    elif isinstance(value, dict):
        value["changed"] = copied(new)


def copied(value: Any) -> Any:
    """A deep copy, as JSON has it."""
    return json.loads(json.dumps(value))


TestState = StateAgainstDictionary.TestCase
