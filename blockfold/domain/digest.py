"""The state digest: a fingerprint of the whole state that is updated in O(changes).

Each entry is hashed to a 2048-bit number, and the state's *sum* is their sum modulo 2^2048
(the AdHash construction of Bellare and Micciancio, 1997). A sum does not depend on an order,
and an entry that changes costs one subtraction and one addition. The *digest* is SHA-256 of
the sum. Wagner's generalised birthday attack on such sums costs about 2^90 at this width.

Preimages, to the byte:

- entry: ``SHAKE-256(len(key) as 4 bytes big-endian ‖ key as UTF-8 ‖ canonical value)``,
  256 bytes of output read as a big-endian number;
- digest: ``SHA-256(sum as 256 bytes big-endian)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import sha256, shake_256

from blockfold.domain.canonical import Canonical

WIDTH = 256
"""Bytes of a sum."""

EMPTY = 0
"""The sum of the empty state."""

SMALL_BYTES = 512
"""Values up to this are remembered: what one action adds to the sum, a later one takes off."""

REMEMBERED = 8_192
"""Numbers of entries that are remembered: 4 MB with usual keys, 17 MB with the longest."""

_MODULUS_MASK = (1 << (8 * WIDTH)) - 1


def entry_number(key: str, value: Canonical) -> int:
    """The 2048-bit number that stands for one entry of the state."""
    name = key.encode()
    preimage = len(name).to_bytes(4, "big") + name + value
    return int.from_bytes(shake_256(preimage).digest(WIDTH), "big")


_remembered = lru_cache(REMEMBERED)(entry_number)


def remembered_number(key: str, value: Canonical) -> int:
    """Like `entry_number`; remembers numbers of small entries, for whoever changes them again."""
    return (_remembered if len(value) <= SMALL_BYTES else entry_number)(key, value)


def forget() -> None:
    """Remember no entry's number."""
    _remembered.cache_clear()


def replace(
    total: int,
    key: str,
    old: Canonical | None,
    new: Canonical | None,
    number: Callable[[str, Canonical], int] = entry_number,
) -> int:
    """The sum after one key went from ``old`` to ``new``; None stands for absent.

    Args:
        total: The sum before.
        key: The key.
        old: Its value before.
        new: Its value now.
        number: `entry_number`, or `remembered_number` where the same keys change again and again.
    """
    if old is not None:
        total -= number(key, old)
    if new is not None:
        total += number(key, new)
    return total & _MODULUS_MASK


def sum_of(entries: Iterable[tuple[str, Canonical]]) -> int:
    """The sum of a whole state, from scratch."""
    total = EMPTY
    for key, value in entries:
        total += entry_number(key, value)
    return total & _MODULUS_MASK


def to_bytes(total: int) -> bytes:
    """The sum as ``WIDTH`` big-endian bytes."""
    return total.to_bytes(WIDTH, "big")


def digest_of(total: int) -> str:
    """The state digest that belongs to a sum: 64 hex digits."""
    return sha256(to_bytes(total)).hexdigest()
