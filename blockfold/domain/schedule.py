"""When a machine's state is dumped: start, stop, set_count, and which blocks are due.

Settings take effect from the block after the head at which they were given, and the whole history
of settings is kept: what was due at a block does not depend on when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

MAX_COUNT = 1_000_000_000


class Setting(msgspec.Struct, frozen=True):
    """What holds from one block on, until the next setting.

    Attributes:
        first: The first block that it holds for.
        running: Whether blocks are due at all.
        count: Every count-th block is due; None if no count was given.
    """

    first: int
    running: bool
    count: int | None

    @property
    def active(self) -> int | None:
        """The count if blocks are due, else None."""
        return self.count if self.running else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The settings of one machine, oldest first; the first holds from block 1.

    Block numbers start at 1. A block is due when its number is a multiple of the count that
    held at it, and blocks that passed while stopped stay undue.
    """

    settings: tuple[Setting, ...]

    @classmethod
    def new(cls, count: int | None) -> Schedule:
        """The schedule of a new machine: running by the count; None or 0 is off."""
        return cls((Setting(1, running=bool(count), count=count or None),))

    @property
    def current(self) -> Setting:
        """The newest setting."""
        return self.settings[-1]

    @property
    def may_be_due(self) -> bool:
        """Whether any block ever is or was due."""
        return any(setting.active for setting in self.settings)

    def due(self, number: int) -> bool:
        """Whether a block is due."""
        return next(self.due_between(number, number), None) is not None

    def due_between(self, first: int, last: int) -> Iterator[int]:
        """The due blocks among ``first`` … ``last``, in order."""
        for index, setting in enumerate(self.settings):
            end = last
            if index + 1 < len(self.settings):
                end = min(last, self.settings[index + 1].first - 1)
            start = max(first, setting.first, 1)
            if setting.active and start <= end:
                yield from range(
                    -(-start // setting.active) * setting.active, end + 1, setting.active
                )

    def next_due(self, head: int) -> int | None:
        """The first due block above the head, if the settings stay as they are."""
        setting = self.current
        if not setting.active:
            return None
        start = max(head + 1, setting.first)
        return -(-start // setting.active) * setting.active


OFF = Schedule.new(None)
"""The schedule of a machine that nobody gave a count."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a call made of a schedule.

    Attributes:
        schedule: The schedule after it.
        changed: Whether it differs from the one before.
        reason: Why nothing changed, if that was not what the caller asked for.
    """

    schedule: Schedule
    changed: bool
    reason: str | None = None


def start(schedule: Schedule, head: int) -> Change:
    """Run with the stored count; without one it stays off. Idempotent."""
    if schedule.current.count is None:
        return Change(schedule, changed=False, reason="no count is set: call set_count first")
    return _set(schedule, head, running=True, count=schedule.current.count)


def stop(schedule: Schedule, head: int) -> Change:
    """Be off, and keep the count for `start`. Idempotent."""
    return _set(schedule, head, running=False, count=schedule.current.count)


def set_count(schedule: Schedule, head: int, count: object) -> Change:
    """Run with this count, also if stopped; None forgets the count and is off.

    Any other value than a positive integer changes nothing.
    """
    if count is None:
        return _set(schedule, head, running=False, count=None)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
        return Change(
            schedule,
            changed=False,
            reason=f"count must be a whole number from 1 to {MAX_COUNT:,} or null, not {count!r}",
        )
    return _set(schedule, head, running=True, count=count)


def _set(schedule: Schedule, head: int, *, running: bool, count: int | None) -> Change:
    if (schedule.current.running, schedule.current.count) == (running, count):
        return Change(schedule, changed=False)
    setting = Setting(head + 1, running=running, count=count)
    # Settings that no block was made under leave no trace.
    kept = tuple(each for each in schedule.settings if each.first <= head)
    if not kept:
        return Change(Schedule((setting,)), changed=True)
    if (kept[-1].running, kept[-1].count) == (running, count):
        return Change(Schedule(kept), changed=True)
    return Change(Schedule((*kept, setting)), changed=True)
