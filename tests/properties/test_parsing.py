"""A message body read by its type gives what a body that is looked at piece by piece gives.

Bodies without a flaw, nearly all, are read at once. The property: whatever the body, nothing is
taken by that way that the other would refuse, and nothing comes out differently.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from blockfold.domain import action
from blockfold.domain.action import Action, Malformed, parse

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**45), 10**45)
    | st.floats(allow_nan=True)
    | st.text(max_size=6)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
names = st.sampled_from(("", "a", "é" * 128, "é" * 129, "x" * 256, "x" * 257)) | st.text(max_size=4)
actions = st.fixed_dictionaries(
    {"type": names | scalars},
    optional={
        "args": st.dictionaries(st.text(max_size=4), values, max_size=3) | scalars,
        "id": names | scalars,
        "other": scalars,
    },
)
nearly = st.fixed_dictionaries(
    {"type": st.sampled_from(("a", "é"))},
    optional={"args": st.dictionaries(st.text(min_size=1, max_size=4), values), "id": names},
)
contents = nearly | st.lists(nearly, max_size=3) | actions | st.lists(actions, max_size=3) | values
bodies = st.builds(json.dumps, contents, ensure_ascii=st.booleans()) | st.text(max_size=8)


def piece_by_piece(body: str) -> list[Action | Malformed]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(action, "_well_formed", lambda _: None)
        return parse(body)


@given(body=bodies)
@example(body='{"type":"a","type":"b","args":{"x":1,"x":2}}')
@example(body='[{"type":"a"},{"type":"a","id":null}]')
@example(body='{"type":"a","args":{"x":1e400}}')
@example(body='{"type":"a","args":{"x":' + "[" * 200 + "]" * 200 + "}}")
@example(body='{"type":"\\ud800"}')
@example(body='{"type":"\ud800"}')
@example(body='{"type":"a","args":{"":1}}')
@example(body="[]")
def test_both_ways_give_the_same(body: str) -> None:
    found = parse(body)
    event("well-formed" if all(isinstance(each, Action) for each in found) else "flawed")
    assert found == piece_by_piece(body)


def test_a_good_body_is_read_at_once() -> None:
    body = '[{"type":"a","args":{"b":1.0,"a":"x"},"id":"i"},{"type":"b"}]'
    found = action._well_formed(body)
    assert found == [Action("a", b'{"a":"x","b":1}', "i"), Action("b", b"{}")]
