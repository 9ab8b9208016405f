"""What the caller says to the process of an action, and what it takes from it: nothing on trust."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from blockfold.adapters.confined.wire import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    Chunk,
    Done,
    Get,
    Rows,
    Rubbish,
    Values,
)
from blockfold.domain.apply import MAX_REASON_CHARACTERS, Verdict
from blockfold.domain.canonical import Canonical, check_key, decode, encode_value
from blockfold.domain.context import Context
from blockfold.domain.limits import MAX_ACTION_BYTES, MAX_ACTION_KEYS, entry_bytes
from blockfold.domain.state import Source

MAX_SCANS = 10_000
"""Scans that one action may have open at once."""


@dataclass(slots=True)
class Answers:
    """Answers to the questions of one action."""

    source: Source
    scans: dict[int, Iterator[tuple[str, Canonical]]] = field(default_factory=dict)

    def to(self, question: Get | Rows) -> Values | Chunk:
        """The answer.

        Raises:
            Rubbish: No `State` would ask that.
        """
        if isinstance(question, Get):
            return Values(self.source.get_many([check_key(key) for key in question.keys]))
        rows = self.scans.get(question.scan)
        if rows is None:
            if len(self.scans) >= MAX_SCANS:
                raise Rubbish("too many scans")
            for bound in (question.prefix, question.after):
                if bound:
                    check_key(bound)
            rows = self.scans[question.scan] = self.source.scan(question.prefix, question.after)
        chunk: list[tuple[str, bytes]] = []
        size = 0
        for row in islice(rows, CHUNK_ROWS):
            chunk.append(row)
            size += entry_bytes(*row)
            if size >= CHUNK_BYTES:
                return Chunk(chunk, more=True)
        if len(chunk) == CHUNK_ROWS:
            return Chunk(chunk, more=True)
        del self.scans[question.scan]
        return Chunk(chunk, more=False)


def checked(done: Done, context: Context) -> Verdict:
    """A verdict that a reducer in this process could have come to.

    Raises:
        Rubbish: It is none.
        LimitExceeded: It is none, because of a limit.
    """
    reason = done.reason
    if reason is not None and len(reason) > MAX_REASON_CHARACTERS:
        raise Rubbish("a long reason")
    if done.outcome != "applied":
        return Verdict(done.outcome, reason, done.environment, died=False)
    try:
        for type_, detail in done.events:
            context.emit(type_, **decode(detail))  # type: ignore[arg-type]
        room = MAX_ACTION_BYTES - context.emitted
        for key, data in done.changes.items():
            if data is not None and encode_value(decode(data)) != data:
                raise Rubbish("a value that is not canonical")
            room -= entry_bytes(check_key(key), data)
    except (ValueError, TypeError, RecursionError) as error:
        raise Rubbish(str(error)) from None
    if room < 0 or len(done.changes) > MAX_ACTION_KEYS:
        raise Rubbish("too many changes")
    return Verdict("applied", reason, changes=done.changes, events=tuple(context.events))
