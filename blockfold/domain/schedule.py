"""When a machine's state is dumped: start, stop, set_count, set_policy, and which blocks are due.

Settings take effect from the block after the head at which they were given, and the whole history
of settings is kept: what was due by count at a block does not depend on when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from blockfold.domain.policy import Policy, amended

MAX_COUNT = 1_000_000_000


class Setting(msgspec.Struct, frozen=True, omit_defaults=True):
    """What holds from one block on, until the next setting.

    Attributes:
        first: The first block that it holds for.
        running: Whether blocks are due at all.
        count: Every count-th block is due; None if no count was given.
        policy: How fresh the newest snapshot is kept besides; None if nothing was promised.
    """

    first: int
    running: bool
    count: int | None
    policy: Policy | None = None

    @property
    def active(self) -> int | None:
        """The count if blocks are due, else None."""
        return self.count if self.running else None

    @property
    def fresh(self) -> Policy | None:
        """The policy if it is in force, else None."""
        return self.policy if self.running else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The settings of one machine, oldest first; the first holds from block 1.

    Block numbers start at 1. A block is due when its number is a multiple of the count that
    held at it, and blocks that passed while stopped stay undue.
    """

    settings: tuple[Setting, ...]

    @classmethod
    def new(cls, count: int | None, policy: Policy | None = None) -> Schedule:
        """The schedule of a new machine: running by count and policy; None or 0 is off."""
        running = bool(count) or policy is not None
        return cls((Setting(1, running=running, count=count or None, policy=policy),))

    @property
    def current(self) -> Setting:
        """The newest setting."""
        return self.settings[-1]

    @property
    def may_be_due(self) -> bool:
        """Whether any block ever is or was due."""
        return any(setting.active for setting in self.settings)

    @property
    def fresh_from(self) -> int | None:
        """The first block that is to be kept in a fresh snapshot; None if no policy is in force.

        Blocks that passed while there was none are not made up for. Which policy it was does not
        matter: the current one speaks for all blocks since.
        """
        first = None
        for setting in reversed(self.settings):
            if setting.fresh is None:
                break
            first = setting.first
        return first

    def due(self, number: int) -> bool:
        """Whether a block is due by count."""
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
    """Run with the stored count and policy; with neither it stays off. Idempotent."""
    now = schedule.current
    if now.count is None and now.policy is None:
        return Change(schedule, changed=False, reason="no count is set: call set_count first")
    return _set(schedule, head, running=True, count=now.count, policy=now.policy)


def stop(schedule: Schedule, head: int) -> Change:
    """Be off, and keep count and policy for `start`. Idempotent."""
    now = schedule.current
    return _set(schedule, head, running=False, count=now.count, policy=now.policy)


def set_count(schedule: Schedule, head: int, count: object) -> Change:
    """Run with this count, also if stopped; None forgets the count, and is off without a policy.

    Any other value than a positive integer changes nothing. The policy stays as it is.
    """
    now = schedule.current
    if count is None:
        running = now.fresh is not None
        return _set(schedule, head, running=running, count=None, policy=now.policy)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
        return Change(
            schedule,
            changed=False,
            reason=f"count must be a whole number from 1 to {MAX_COUNT:,} or null, not {count!r}",
        )
    return _set(schedule, head, running=True, count=count, policy=now.policy)


def set_policy(schedule: Schedule, head: int, fields: Mapping[str, object]) -> Change:
    """Set fields of the policy and run, also if stopped; None clears a field.

    Clearing alone does not start, and is off when neither policy nor count is left. A value that
    cannot be changes nothing. The count stays as it is.
    """
    now = schedule.current
    found = amended(now.policy, fields)
    if isinstance(found, str):
        return Change(schedule, changed=False, reason=found)
    policy = found if found.in_force else None
    sets = any(value is not None for value in fields.values())
    running = sets or (now.running and (policy is not None or now.count is not None))
    return _set(schedule, head, running=running, count=now.count, policy=policy)


def _set(
    schedule: Schedule, head: int, *, running: bool, count: int | None, policy: Policy | None
) -> Change:
    setting = Setting(head + 1, running=running, count=count, policy=policy)
    if _same(schedule.current, setting):
        return Change(schedule, changed=False)
    # Settings that no block was made under leave no trace.
    kept = tuple(each for each in schedule.settings if each.first <= head)
    if not kept:
        return Change(Schedule((setting,)), changed=True)
    if _same(kept[-1], setting):
        return Change(Schedule(kept), changed=True)
    return Change(Schedule((*kept, setting)), changed=True)


def _same(one: Setting, two: Setting) -> bool:
    return (one.running, one.count, one.policy) == (two.running, two.count, two.policy)
