"""Amounts as people write them: ``30s``, ``5m``, ``10MB``, ``none``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from blockfold.domain.errors import Misconfigured

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def seconds(text: str) -> int | None:
    """Seconds of ``90``, ``90s``, ``5m``, ``2h`` or ``1d``; None of ``none``."""
    return _amount(text, SECONDS, "time", "30s, 5m, 2h or none")


def minutes(text: str) -> int | None:
    """Minutes of ``60``; None of ``none``."""
    return _amount(text, {"": 1}, "number of minutes", "60 or none")


def size(text: str) -> int | None:
    """Bytes of ``500``, ``64kB``, ``10MB`` or ``1GB``; None of ``none``."""
    return _amount(text, BYTES, "size", "500kB, 10MB, 1GB or none")


def in_seconds(amount: int) -> str:
    """Seconds in the largest unit that gives a whole number."""
    return _written(amount, {"d": 86_400, "h": 3_600, "m": 60, "s": 1})


def in_bytes(amount: int) -> str:
    """Bytes in the largest unit that gives a whole number."""
    return _written(amount, {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1})


def _amount(text: str, units: Mapping[str, int], what: str, example: str) -> int | None:
    if text.lower() == "none":
        return None
    found = re.fullmatch(r"([0-9]{1,18}) ?([a-z]*)", text.lower())
    if found is None or found[2] not in units:
        raise Misconfigured(f"{text!r} is no {what}", hint=f"write {example}")
    return int(found[1]) * units[found[2]]


def _written(amount: int, units: Mapping[str, int]) -> str:
    unit = next(unit for unit, worth in units.items() if amount % worth == 0 and amount)
    return f"{amount // units[unit]:,} {unit}"
