"""Whatever text a letter has, its parts ask for the same, one by one, and SQS takes them."""

from __future__ import annotations

import json
from random import Random

import pytest

from blockfold import Message
from blockfold.adapters.memory import MemoryBlockLog, MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.dead_letter import Searched, plan_of
from blockfold.application.travel import Traveller
from blockfold.domain.action import Action, Malformed
from blockfold.domain.block import derived_id
from blockfold.ports import Letter
from tests.fuzz.bodies import body, large
from tests.simulation.services.sqs import _UNTELLABLE

BODIES = 400


def check(text: str) -> int:
    """How many actions a letter of that text has."""
    letter = Letter("m", Message("id", text), text, {}, "receipt")
    searched = Searched(Traveller(MemoryBlockLog(), ObjectSnapshots(MemoryObjectStore())), "m")
    plan = plan_of(letter, searched)
    wanted = list(letter.message.asked)
    assert len(plan.parts) == plan.actions == len(wanted)
    assert [part.count for part in plan.parts] == [*range(1, len(wanted) + 1)]
    assert len({part.token(letter) for part in plan.parts}) == len(wanted)
    for place, (part, each) in enumerate(zip(plan.parts, wanted, strict=True)):
        assert part.body
        assert not _UNTELLABLE.search(part.body), "SQS takes no such text"
        (found,) = Message("other", part.body).asked
        if isinstance(each, Action) and isinstance(found, Action):
            assert (found.type, found.args) == (each.type, each.args)
            assert found.id in (each.id, derived_id("id", place))
        else:
            assert isinstance(found, Malformed)
            assert isinstance(each, Malformed)
            assert found.reason == each.reason
            assert found.raw == each.raw or _read(found.raw) == _read(each.raw)
    return len(wanted)


def _read(raw: str) -> str:
    """A text as JSON says it: how it is spaced is nobody's business."""
    return json.dumps(json.loads(raw))


@pytest.mark.parametrize("seed", range(5))
def test_any_body(seed: int) -> None:
    random = Random(seed)
    made = [body(random) for _ in range(BODIES)]
    taken = [each for each in made if not _UNTELLABLE.search(each)]
    assert len(taken) > BODIES / 4
    assert sum(map(check, taken)) > len(taken)


def test_large_bodies() -> None:
    for text in large(Random(1), many=3_000):
        if not _UNTELLABLE.search(text):
            check(text)
