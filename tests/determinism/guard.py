"""Runs machines on actions made from their schemas, and prints the hashes of the blocks.

``python -m tests.determinism.guard SHUFFLE module:Class …`` in any interpreter that has msgspec:
the same lines must come out whatever the interpreter, its hash seed, and the order in which objects
and states were put together. Every block is executed twice.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from blockfold import Head, Machine, Message, execute
from blockfold.domain.canonical import Canonical
from blockfold.domain.machine import ActionSpec
from blockfold.domain.replay import fold

BLOCKS = 12
MESSAGES = 5
SENT = 1_700_000_000_000

TEXTS = ("a", "b", "ab", "é", "t1", "x/y", "\U0001f600", "0", "long " * 5, "0123456789" * 4)


@dataclass(frozen=True)
class AnyOrder:
    """A state whose entries were put together in an order of chance."""

    entries: dict[str, Canonical]
    random: Random

    def get(self, key: str) -> Canonical | None:
        return self.entries.get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        found = [(key, self.entries[key]) for key in keys if key in self.entries]
        self.random.shuffle(found)
        return dict(found)

    def scan(self, prefix: str, after: str = "") -> Iterator[tuple[str, Canonical]]:
        rows = sorted(self.entries.items())
        return iter([row for row in rows if row[0].startswith(prefix) and row[0] > after])


def messages(machine: type[Machine], random: Random) -> list[list[dict[str, Any]]]:
    """The actions of a block's messages; most fit their schema."""
    specs = list(machine.actions().values())
    return [
        [_action(random.choice(specs), random) for _ in range(random.randrange(1, 4))]
        for _ in range(MESSAGES)
    ]


def _action(spec: ActionSpec, random: Random) -> dict[str, Any]:
    schema = msgspec.json.schema(spec.arguments)
    return {"type": spec.name, "args": _value(schema, schema.get("$defs", {}), random)}


def _value(schema: dict[str, Any], defs: dict[str, Any], random: Random) -> Any:
    """A value that fits a JSON Schema, as far as machines use it."""
    if "$ref" in schema:
        return _value(defs[schema["$ref"].rpartition("/")[2]], defs, random)
    if "anyOf" in schema:
        return _value(random.choice(schema["anyOf"]), defs, random)
    if "enum" in schema:
        return random.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        optional = set(schema.get("properties", {})) - set(schema.get("required", ()))
        return {
            name: _value(each, defs, random)
            for name, each in schema.get("properties", {}).items()
            if name not in optional or random.random() < 0.5
        }
    if kind == "array":
        items = schema.get("items", {"type": "integer"})
        return [_value(items, defs, random) for _ in range(random.randrange(4))]
    if kind == "integer":
        least = schema.get("minimum", -3)
        return random.randrange(least, min(schema.get("maximum", least + 9), least + 9) + 1)
    if kind == "number":
        return random.choice([0.1, 1.5, -2.25])
    if kind in ("boolean", "null"):
        return random.random() < 0.5 if kind == "boolean" else None
    return _text(schema, random) if kind == "string" else random.choice([1, "x", [2], {"n": None}])


def _text(schema: dict[str, Any], random: Random) -> str:
    pattern = re.compile(schema.get("pattern", ""))
    least, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    fits = [each for each in TEXTS if pattern.search(each) and least <= len(each) <= most]
    return random.choice(fits or ["none fits"])


def body(actions: list[dict[str, Any]], shuffle: Random | None) -> str:
    """A message's text; shuffled, the fields of its objects stand in an order of chance."""
    return json.dumps(actions if shuffle is None else _shuffled(actions, shuffle))


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, list):
        return [_shuffled(each, random) for each in value]
    if isinstance(value, dict):
        fields = [(name, _shuffled(each, random)) for name, each in value.items()]
        random.shuffle(fields)
        return dict(fields)
    return value


def hashes(machine: type[Machine], shuffle: Random | None) -> list[str]:
    """The hashes of a machine's blocks.

    Raises:
        AssertionError: A block came out differently when it was executed again.
    """
    random = Random(machine.__qualname__)
    entries: dict[str, Canonical] = {}
    head = Head(machine="m")
    found: list[str] = []
    applied = 0
    for number in range(BLOCKS):
        sent = [
            Message(
                id=f"m{number}-{index}",
                body=body(actions, shuffle),
                sequence=str(number * MESSAGES + index + 1),
                sent=SENT + number * 60_000 + index,
                sender="AROATEST:tester",
            )
            for index, actions in enumerate(messages(machine, random))
        ]
        block = execute(machine(), head, AnyOrder(entries, shuffle or Random(number)), sent)
        again = execute(machine(), head, AnyOrder(dict(entries), Random(number)), sent)
        assert block.hash == again.hash, f"block {block.number} of {machine.__qualname__}"
        fold(entries, block)
        if shuffle is not None:
            rows = list(entries.items())
            shuffle.shuffle(rows)
            entries = dict(rows)
        head = block.head
        applied += block.outcomes["applied"]
        found.append(block.hash)
    assert applied > BLOCKS, f"{machine.__qualname__}: too few actions fit ({applied})"
    return found


def main(shuffle: str, *specs: str) -> None:
    """Print one line for each machine: its name, and the hashes of its blocks or what differs."""
    for spec in specs:
        module, _, name = spec.partition(":")
        machine = getattr(importlib.import_module(module), name)
        try:
            found = hashes(machine, Random(shuffle) if shuffle != "no" else None)
        except AssertionError as error:
            found = [f"differs: {error}"]
        sys.stdout.write(json.dumps([spec, found]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
