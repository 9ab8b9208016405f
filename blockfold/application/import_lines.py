"""Entries of a state as people bring them: JSON lines, or one JSON object; each checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from blockfold.domain.canonical import Canonical, check_key, decode, encode_value
from blockfold.domain.errors import LimitExceeded, Misconfigured


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """An entry and where it stood.

    Attributes:
        key: The key.
        place: The line, or the position in the object, from 1.
        value: The value, canonical.
    """

    key: str
    place: int
    value: Canonical


def lines(stream: Iterable[bytes]) -> Iterator[Entry]:
    """Entries of ``{"key":…,"value":…}`` lines, as `export` writes them; empty lines are left out.

    Raises:
        Misconfigured: A line is no entry; the error names it.
        LimitExceeded: A key or value breaks a limit of `blockfold.domain.canonical`.
    """
    for place, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            found = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Misconfigured(
                f"line {place} is no entry: {error}",
                hint='write {"key": …, "value": …}, one a line',
            ) from error
        yield _entry(f"line {place}", place, found.key, found.value)


def members(data: bytes) -> Iterator[Entry]:
    """Entries of one JSON object, ``{key: value, …}``; it is held in memory.

    Raises:
        Misconfigured: It is no JSON object, or has a key twice.
        LimitExceeded: A key or value breaks a limit of `blockfold.domain.canonical`.
    """
    try:
        found = json.loads(data, object_pairs_hook=_Members, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"the file is no JSON: {error}") from error
    if not isinstance(found, _Members):
        raise Misconfigured(
            "the file is no JSON object", hint="write {key: value, …}, or lines with --format jsonl"
        )
    for place, (key, value) in enumerate(found.pairs, start=1):
        yield _entry(f"entry {place}", place, key, value)


def _entry(name: str, place: int, key: str, value: object) -> Entry:
    content = decode(bytes(value)) if isinstance(value, msgspec.Raw) else value
    try:
        return Entry(check_key(key), place, encode_value(content))
    except LimitExceeded as error:
        raise LimitExceeded(f"{name}: {error.message}", hint=error.hint) from error


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    value: msgspec.Raw


class _Members(dict[str, Any]):
    """A JSON object that remembers its members as they stood, repeated ones too."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


_decoder = msgspec.json.Decoder(_Line)
