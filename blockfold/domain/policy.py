"""When a snapshot is due for the sake of freshness: after silence, after time, after bytes.

These are promises of how old the newest snapshot may get, not of block numbers: which block gets
the snapshot depends on when somebody looks. Snapshots by count depend on nothing but the log and
the settings (`blockfold.domain.schedule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

MOST_FACTOR = 10
LEAST_MOST = 600
"""Without ``quiet_most``, steady traffic gets a snapshot after ten quiet periods, but no more
often than every ten minutes."""

LARGEST = {
    "quiet": 31_536_000,
    "quiet_most": 31_536_000,
    "minutes": 525_600,
    "bytes": 10**15,
}
"""The fields of a policy and the largest value of each: a year, a petabyte."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How fresh the newest snapshot is kept; a field that is None promises nothing.

    Attributes:
        quiet: The head gets one after so many seconds without a block.
        quiet_most: With ``quiet``, one is made after so many seconds of steady traffic.
        minutes: One is made when the oldest block without one is so many minutes old.
        bytes: One is made after so many bytes of block bodies, uncompressed.
    """

    quiet: int | None = None
    quiet_most: int | None = None
    minutes: int | None = None
    bytes: int | None = None

    @property
    def bound(self) -> int | None:
        """Seconds that the oldest block without a snapshot may wait; None without a bound."""
        bounds = [] if self.minutes is None else [60 * self.minutes]
        if self.quiet is not None:
            bounds.append(self.quiet_most or _most(self.quiet))
        return min(bounds, default=None)

    @property
    def in_force(self) -> dict[str, int]:
        """The fields that promise something, ``quiet_most`` filled in, in the order above."""
        found = msgspec.structs.asdict(self)
        if self.quiet is not None:
            found["quiet_most"] = self.quiet_most or _most(self.quiet)
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a machine when somebody asks whether a snapshot is due.

    Attributes:
        blocks: Blocks without a snapshot at or above them.
        silence: Milliseconds without a block; None if nobody waited for that.
        age: Milliseconds that the oldest of those blocks has waited.
        bytes: Of the bodies of those blocks; counted no further than it matters.
    """

    blocks: int
    silence: int | None = None
    age: int = 0
    bytes: int = 0


def fresh_due(policy: Policy, facts: Facts) -> int | None:
    """Seconds until a snapshot of the head is due; 0 is now, None is not before another block."""
    if not facts.blocks:
        return None
    if policy.bytes is not None and facts.bytes >= policy.bytes:
        return 0
    left: list[int] = []
    if policy.quiet is not None and facts.silence is not None:
        left.append(1000 * policy.quiet - facts.silence)
    if policy.bound is not None:
        left.append(1000 * policy.bound - facts.age)
    return max(0, -(-min(left) // 1000)) if left else None


def amended(policy: Policy | None, fields: Mapping[str, object]) -> Policy | str:
    """A policy with some fields set, or cleared by None; or why that cannot be.

    Clearing ``quiet`` clears its bound.
    """
    if not fields:
        return f"nothing is given: name one of {', '.join(LARGEST)}"
    for name, value in fields.items():
        if name not in LARGEST:
            return f"there is no policy {name!r}, only {', '.join(LARGEST)}"
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST[name]:
            return (
                f"{name} must be a whole number from 1 to {LARGEST[name]:,} or null, not {value!r}"
            )
    new = msgspec.structs.replace(policy or Policy(), **fields)
    if new.quiet is None:
        if fields.get("quiet_most") is not None:
            return "quiet_most is the bound of quiet: set quiet as well"
        return msgspec.structs.replace(new, quiet_most=None)
    if new.quiet_most is not None and new.quiet_most < new.quiet:
        return f"quiet_most must not be below quiet, and {new.quiet_most} is below {new.quiet}"
    return new


def _most(quiet: int) -> int:
    return max(MOST_FACTOR * quiet, LEAST_MOST)
