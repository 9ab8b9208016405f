"""Pieces of the key space that are done, and the gaps between them: work that is cut by key.

A span ``(start, end)`` stands for every key above ``start`` up to and with ``end``, in code point
order, which is the order of UTF-8 bytes and of DynamoDB's sort keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from blockfold.domain.canonical import MAX_KEY_BYTES, check_key

Span: TypeAlias = tuple[str, str]

FIRST = ""
"""Below every key."""

LAST = "\U0010ffff" * (MAX_KEY_BYTES // 4)
"""No key is above this one: the highest code point, as often as a key may hold it."""

_HIGHEST = ("", "\x7f", "\u07ff", "\uffff", "\U0010ffff")
"""The highest character of so many bytes of UTF-8."""


def last_with(prefix: str) -> str:
    """The highest key that starts with a prefix: filled up with the highest characters.

    Raises:
        LimitExceeded: The prefix is too long for a key, or no UTF-8.
    """
    if not prefix:
        return LAST
    many, left = divmod(MAX_KEY_BYTES - len(check_key(prefix).encode()), 4)
    return prefix + _HIGHEST[4] * many + _HIGHEST[left]


@dataclass(frozen=True, slots=True)
class Gap:
    """Keys that are still to be done.

    Attributes:
        owner: Start of the span that grows while the gap is filled.
        after: The gap begins above this key.
        upto: It ends with this key.
    """

    owner: str
    after: str
    upto: str


def gaps(spans: Iterable[Span], start: str = FIRST, end: str = LAST) -> Iterator[Gap]:
    """What the spans leave open above ``start`` up to and with ``end``, in key order."""
    owner = position = start
    for first, last in sorted(spans):
        if first >= end:
            break
        if first > position:
            yield Gap(owner, position, first)
            owner, position = first, max(first, last)
        elif last > position:
            owner, position = first, last
    if position < end:
        yield Gap(owner, position, end)


def covered(spans: Iterable[Span], first: str, last: str) -> bool:
    """Whether everything from ``first`` to ``last`` is done."""
    return not any(gap.after < last and first <= gap.upto for gap in gaps(spans))
