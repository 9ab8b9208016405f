"""Machines that are not deterministic, each in one way."""

from __future__ import annotations

import itertools
import random
import time
import uuid
from typing import Any

from blockfold import Context, Machine, State, action

SEEN: list[str] = []
COUNTER = itertools.count()


class Clock(Machine):
    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state["at"] = time.time_ns()


class Chance(Machine):
    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state["luck"] = random.random()


class Names(Machine):
    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state["name"] = str(uuid.uuid4())


class Sets(Machine):
    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state["words"] = list({text, "one", "two", "three", "four", "five"})


class Hashes(Machine):
    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state["bucket"] = hash(text) % 1_000


class Globals(Machine):
    @action
    def note(self, state: State, context: Context, text: str) -> None:
        SEEN.append(text)
        state["seen"] = len(SEEN)


class Attributes(Machine):
    kept: dict[str, Any] = {}

    @action
    def note(self, state: State, context: Context, text: str) -> None:
        self.kept[text] = next(COUNTER)
        state["kept"] = len(self.kept) + self.kept[text]
