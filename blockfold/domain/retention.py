"""How much of a machine's past is kept, and where: which snapshots, and which blocks in the table.

Blocks that leave the table stand in the archive, so all of them can be read for ever. Any block
of the past can be read without a snapshot of its own, too: from an older one and the blocks since,
which takes longer, and holds what changed since then in memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from blockfold.domain.errors import Misconfigured

DAY = 86_400
"""Seconds of a day."""

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_MOST_DAYS = 36_500


class Thin(msgspec.Struct, frozen=True):
    """One snapshot in so much time, as long as it is not too old.

    Attributes:
        every: Of the snapshots in so many seconds, the newest is kept.
        span: How far back this reaches, seconds.
    """

    every: int
    span: int


class Retention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a machine's past.

    Attributes:
        snapshots: So many of the newest snapshots; None keeps all.
        thin: Which of the older snapshots besides.
        blocks: So many of the newest blocks stay in the table; None keeps all.
        days: Blocks younger than so many days stay in the table; None keeps all. With both, a
            block stays as long as either says so.
    """

    snapshots: int | None = None
    thin: tuple[Thin, ...] = ()
    blocks: int | None = None
    days: int | None = None

    @property
    def keeps_blocks(self) -> bool:
        """Whether every block stays in the table."""
        return self.blocks is None and self.days is None


KEEP_ALL = Retention()


def checked(retention: Retention) -> Retention:
    """The retention, if it is one that can be carried out.

    Raises:
        Misconfigured: A number is out of its range, or nothing is there to be thinned.
    """
    for name, value, most in (
        ("snapshots", retention.snapshots, 10**9),
        ("blocks", retention.blocks, 10**12),
        ("days", retention.days, _MOST_DAYS),
    ):
        if value is not None and not 1 <= value <= most:
            raise Misconfigured(
                f"{name} is {value}, it must be from 1 to {most:,}", hint="null, or none, keeps all"
            )
    if retention.thin and retention.snapshots is None:
        raise Misconfigured(
            "there is nothing to thin: all snapshots are kept",
            hint="say how many of the newest are kept besides, by snapshots",
        )
    return retention


def retired(snapshots: Sequence[tuple[int, int]], retention: Retention, now: int) -> list[int]:
    """The snapshots that are no longer kept; the newest always is.

    Args:
        snapshots: Number and block time (milliseconds since 1970 UTC) of each, in any order.
        retention: What is kept.
        now: Milliseconds since 1970 UTC.

    Returns:
        Their numbers, lowest first. What is left after they are gone is kept as long as time
        does not go on.
    """
    if retention.snapshots is None:
        return []
    newest_first = sorted(snapshots, reverse=True)
    older = newest_first[max(1, retention.snapshots) :]
    kept: set[int] = set()
    for tier in retention.thin:
        taken: set[int] = set()
        for number, time in older:
            bucket = time // (tier.every * 1000)
            if now - time <= tier.span * 1000 and bucket not in taken:
                taken.add(bucket)
                kept.add(number)
    return sorted(number for number, _ in older if number not in kept)


def parse_thin(text: str) -> Thin:
    """A tier as it is written: ``1d/30d`` is one a day for 30 days.

    Raises:
        Misconfigured: It is written wrongly, or reaches less far than its own step.
    """
    every, slash, span = text.partition("/")
    if not slash:
        raise Misconfigured(f"{text!r} thins nothing", hint="write for example 1d/30d")
    tier = Thin(parse_duration(every), parse_duration(span))
    if tier.span < tier.every:
        raise Misconfigured(
            f"{text!r} reaches less far back than its own step",
            hint=f"write {format_duration(tier.span)}/{format_duration(tier.every)}?",
        )
    return tier


def parse_duration(text: str) -> int:
    """Seconds of a duration such as ``90s``, ``15m``, ``12h``, ``7d`` or ``2w``.

    Raises:
        Misconfigured: It is none, or no time at all.
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1 <= seconds <= _MOST_DAYS * DAY:
        raise Misconfigured(
            f"{text!r} is no duration", hint="a number with one of s, m, h, d, w: 12h, 7d, 2w"
        )
    return seconds


def format_duration(seconds: int) -> str:
    """Seconds as `parse_duration` reads them, in the largest unit up to days that fits."""
    for unit in "dhm":
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def format_thin(tier: Thin) -> str:
    """A tier as `parse_thin` reads it."""
    return f"{format_duration(tier.every)}/{format_duration(tier.span)}"
