"""Points of the past as Python programs name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from blockfold.domain.errors import Misconfigured
from blockfold.domain.point import FORMS, AtBlock, AtSnapshot, AtTime, Point, parse_point

At: TypeAlias = "int | datetime | str | Point"
"""A block's number, a moment with its time zone, a text such as ``snapshot:12``, or a point."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def point_of(at: At) -> Point:
    """The point that is meant.

    Raises:
        Misconfigured: It can be none.
    """
    if isinstance(at, AtBlock | AtSnapshot | AtTime):
        return at
    if isinstance(at, str):
        return parse_point(at)
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise Misconfigured(
                f"{at.isoformat()} is no moment", hint="give it a time zone: tzinfo=UTC"
            )
        return AtTime((at - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(at, int) and not isinstance(at, bool) and at >= 0:
        return AtBlock(at)
    raise Misconfigured(f"{at!r} names no block", hint=f"give a number, a datetime, or {FORMS}")
