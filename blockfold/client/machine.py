"""One machine of a stack, read by an application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from blockfold.application.key_history import Version
from blockfold.application.outcomes import ActionOutcome, Watch
from blockfold.application.push import check_machine_id
from blockfold.application.read import Reader
from blockfold.application.state_at import StateAt, at_head
from blockfold.application.travel import Traveller
from blockfold.client.points import At, point_of
from blockfold.client.state import StateReader
from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import decode
from blockfold.ports import Clock

SEARCHED = 1_000
"""Newest blocks that are looked through for an action if the caller does not say."""

FIRST_POLL = 0.05
LAST_POLL = 1.0
"""Seconds between two looks for an action: each half as long again as the one before."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One value that a key was given.

    Attributes:
        number: The block that gave it.
        time: That block's time.
        value: The value; None also for deleted.
        deleted: Whether the key was deleted.
        actions: Ids of the actions that the block applied: one of them did it.
        restored: Whether a restore, fork or import block brought it.
    """

    number: int
    time: datetime
    value: Any
    deleted: bool
    actions: tuple[str, ...]
    restored: bool


class MachineReader:
    """Reads one machine of a stack: its state, its blocks, what became of an action.

    `Stack.machine` makes it. What it reads is exact: everything that was committed when a call
    began is seen by it. No user code runs. Every call raises `NotFound` if there is no such
    machine or block, `Unavailable` if a service failed (it may work later), `Corrupted` if what is
    stored contradicts itself.

    Args:
        reader: Reads the stores.
        machine: The machine's id.
        clock: Time, to wait by.

    Raises:
        Misconfigured: No machine can have that id.
    """

    def __init__(self, reader: Reader, machine: str, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self.machine = check_machine_id(machine)

    def head(self) -> Head:
        """The newest block, as the next one builds on it."""
        return self._reader.head(self.machine)

    def state(self, at: At | None = None) -> StateReader:
        """The state at the head of now, or at a point of the past.

        Args:
            at: A block's number, a `datetime` with its time zone, or a text such as
                ``2026-01-31T12:00:00Z`` or ``snapshot:12``; None for the head.

        Raises:
            Misconfigured: ``at`` names no point.
        """
        if at is None:
            return StateReader(at_head(self._reader, self.machine, self._clock))
        number = self._reader.number_at(self.machine, point_of(at))
        return StateReader(StateAt(self._reader, self.machine, number))

    def block(self, number: int) -> Block:
        """One block."""
        return self._reader.block(self.machine, number)

    def blocks(self, first: int = 1, last: int | None = None) -> Iterator[Block]:
        """Blocks ``first`` … ``last`` (the head if None), in order, read as they are taken."""
        return self._reader.blocks(self.machine, first, last)

    def history(self, key: str) -> Iterator[KeyVersion]:
        """Each value that a key was given, oldest first; reads the whole log."""
        return map(_version, self._reader.history(self.machine, key))

    def outcome(self, action_id: str, *, blocks: int = SEARCHED) -> ActionOutcome | None:
        """What became of an action; None if none of the newest blocks holds it.

        Args:
            action_id: Its id: what the sender gave it, or ``<MessageId>/<position>``.
            blocks: How many of the newest blocks are looked through.
        """
        self.head()
        return self.watch(action_id, blocks=blocks).look()

    def wait(
        self, action_id: str, seconds: float = 30.0, *, blocks: int = SEARCHED
    ) -> ActionOutcome:
        """What became of an action, as soon as it stands in a block.

        The machine need not exist yet: its first action makes it.

        Args:
            action_id: Its id; see `outcome`.
            seconds: How long to wait.
            blocks: How many of the newest blocks are looked through first.

        Raises:
            Unavailable: It stood in no block by then.
        """
        watch = self.watch(action_id, blocks=blocks)
        until = self._clock.monotonic() + seconds
        pause = FIRST_POLL
        while (found := watch.look()) is None:
            if self._clock.monotonic() >= until:
                raise watch.missed(seconds)
            self._clock.sleep(pause)
            pause = min(pause * 1.5, LAST_POLL)
        return found

    def watch(self, action_id: str, *, blocks: int = SEARCHED) -> Watch:
        """What looks for an action each time that it is asked; for callers that wait otherwise."""
        traveller = Traveller(self._reader.log, self._reader.snapshots)
        return Watch(traveller, self.machine, action_id, blocks)


def _version(found: Version) -> KeyVersion:
    return KeyVersion(
        number=found.number,
        time=_EPOCH + timedelta(milliseconds=found.time),
        value=None if found.value is None else decode(found.value),
        deleted=found.value is None,
        actions=tuple(each.id for each in found.actions),
        restored=found.origin is not None,
    )
