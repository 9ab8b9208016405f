"""Hypothesis strategies for values, keys, actions and messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from blockfold.domain.action import Message

T = TypeVar("T")

SENT = 1_700_000_000_000
"""When the first message was sent, milliseconds since 1970 UTC."""

texts = st.text(st.characters(codec="utf-8"), max_size=12)

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
"""Keys of nested objects."""

numbers = (
    st.integers(-(10**38) + 1, 10**38 - 1)
    | st.integers(-20, 20)
    | st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: x == 0 or 1e-130 <= abs(x) < 1e126
    )
)

scalars = st.none() | st.booleans() | numbers | texts

values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
"""JSON values within the limits, not yet in canonical form."""

keys = st.sampled_from(["a", "a/b", "a/c", "ab", "b", "é", "\U0001f600", "\uffee"])
"""Few enough to meet again and again, ordered differently in UTF-8 and UTF-16."""

small_values = st.sampled_from([None, True, 0, 1, 1.0, 1.5, "", "x", [], [1], {}, {"n": 1}])

steps = st.one_of(
    st.fixed_dictionaries({"do": st.just("set"), "key": keys, "value": small_values}),
    st.fixed_dictionaries({"do": st.just("delete"), "key": keys}),
    st.fixed_dictionaries({"do": st.just("push"), "key": keys, "value": small_values}),
    st.fixed_dictionaries(
        {"do": st.just("list"), "key": keys, "value": st.sampled_from(["", "a", "a/", "é"])}
    ),
)

runs: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"steps": st.lists(steps, max_size=5)},
    optional={"end": st.sampled_from(["apply", "apply", "reject", "crash"])},
)
"""Arguments for the action ``run`` of `tests.machines_for_tests.Cells`."""


def cuts(longest: int) -> st.SearchStrategy[list[int]]:
    """Lengths of pieces; use with `pieces`."""
    return st.lists(st.integers(1, longest), min_size=1, max_size=12)


def pieces(whole: Sequence[T], lengths: Sequence[int]) -> list[Sequence[T]]:
    """A sequence cut into pieces of these lengths, over and over."""
    found: list[Sequence[T]] = []
    start = 0
    while start < len(whole):
        length = lengths[len(found) % len(lengths)]
        found.append(whole[start : start + length])
        start += length
    return found


def message(number: int, actions: Sequence[dict[str, Any]], *, sent: int = SENT) -> Message:
    """The message of that sequence number with these actions."""
    return Message(
        id=f"message-{number}",
        body=json.dumps(list(actions)),
        sequence=str(number),
        sent=sent,
        sender="AROATEST:tester",
    )


def runs_as_messages(arguments: Sequence[Sequence[dict[str, Any]]]) -> list[Message]:
    """Messages of `Cells` actions, from the arguments of each."""
    return [
        message(number, [{"type": "run", "args": args} for args in packed])
        for number, packed in enumerate(arguments, start=1)
    ]


def notes_as_messages(lengths: Sequence[int]) -> list[Message]:
    """Messages of `Journal` actions, so many in each, with texts that count up."""
    texts_left = iter(range(sum(lengths)))
    return [
        message(
            number,
            [{"type": "note", "args": {"text": str(next(texts_left))}} for _ in range(length)],
            sent=SENT + number,
        )
        for number, length in enumerate(lengths, start=1)
    ]
