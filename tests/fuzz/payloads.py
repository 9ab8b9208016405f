"""JSON payloads near good ones: a part of them replaced, dropped, doubled or renamed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 10**400, 1.5, float("inf"), "", "x", "1", "é", "\x00"),
    *("../x", "a/b", ".", "\ud800", "x" * 5_000, [], [1], [None], {}, {"a": 1}, [[]], ["x"], [{}]),
    *("2026-01-31T12:00:00Z", "9999-99-99T99:99:99Z", "Infinity", "-5", "10MB", "machines/m/x"),
)

Place = tuple[Any, ...]


def mutated(good: Any, random: Random) -> Any:
    """The payload with one to three changes."""
    changed = copy.deepcopy(good)
    for _ in range(random.randrange(1, 4)):
        changed = _change(changed, random)
    return changed


def _change(value: Any, random: Random) -> Any:
    place = random.choice(list(_places(value)))
    if not place:
        return random.choice(ODD) if random.random() < 0.3 else value
    *way, last = place
    holder = value
    for step in way:
        holder = holder[step]
    change = random.randrange(4)
    if change == 0:
        del holder[last]
    elif change == 1 and isinstance(holder, dict):
        holder[random.choice(["", "x", "machine", "time", "é", last + "s"])] = holder[last]
    else:
        holder[last] = copy.deepcopy(random.choice(ODD))
    return value


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _places(each, (*place, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places(each, (*place, index))
