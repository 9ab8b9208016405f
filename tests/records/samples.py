"""Records for tests, and a state whose reads are counted."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from hypothesis import strategies as st
from msgspec import Meta

from blockfold import State
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.replay import EntriesSource
from blockfold.domain.spans import FIRST
from blockfold.records import Ascending, Descending, Record


class Player(
    Record,
    name="player",
    key=("server", "user"),
    indexes={
        "top": Descending("points", within="server"),
        "level": Ascending("level", "points"),
    },
):
    server: str
    user: str
    points: int = 0
    level: str | None = None
    tags: list[str] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Reading(
    Record,
    name="reading",
    key=("device", "number", "at", "good"),
    indexes={
        "hot": Descending("degrees", "at", within=("good", "device")),
        "latest": Descending("at"),
        "cold": Ascending("degrees"),
        "colour": Ascending("colour", within="kind"),
    },
):
    device: str
    number: int
    at: datetime
    good: bool
    degrees: float = 0.0
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    litres: Annotated[int, Meta(ge=0)] = 0


@dataclass
class CountingSource:
    """A `Source` that counts what is read of it: single keys, and entries of scans."""

    entries: dict[str, Canonical] = field(default_factory=dict)
    keys: int = 0
    scanned: int = 0
    calls: int = 0

    def get(self, key: str) -> Canonical | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        self.calls += 1
        self.keys += len(keys)
        return EntriesSource(self.entries).get_many(keys)

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        self.calls += 1
        for entry in EntriesSource(self.entries).scan(prefix, after):
            self.scanned += 1
            yield entry

    def reset(self) -> None:
        self.keys = self.scanned = self.calls = 0


def empty() -> State:
    return State(EntriesSource({}))


def settled(state: State, source: CountingSource) -> State:
    """End the action and the block; the next one's state, over a source that holds it all."""
    state.keep(state.collect())
    state.keep_message()
    changes, _ = state.net_changes()
    for key, value in changes.items():
        if value is None:
            source.entries.pop(key, None)
        else:
            source.entries[key] = value
    return State(source)


def raw(state: State) -> dict[str, bytes]:
    """Everything that a state holds."""
    return {key: encode(value) for key, value in state.items()}


odd_texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", "#", "$", "$c", "a", "a#", "a#b", "a$", "\x00", "\x1f", " ", "!", "%", "~", "\U0010ffff"]
)
"""Parts of keys, with whatever could be mistaken for a separator or an escape."""
