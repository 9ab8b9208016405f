"""Finds a producer's actions in the logs of their machines, reading each block once."""

from __future__ import annotations

from collections.abc import Collection
from threading import Lock
from weakref import WeakValueDictionary

from blockfold.application.outcomes import ActionOutcome
from blockfold.domain.block import Block, MessageRecord
from blockfold.domain.canonical import decode
from blockfold.domain.errors import BlockfoldError, Corrupted
from blockfold.ports import BlockLog
from blockfold.producer.parcel import Parcel

SEARCHED = 1_000
"""Newest blocks that are looked through if the log could not be read before the first message."""


PARTS = 10
"""Messages that were split and not ended, one for each queue that feeds a machine, held at most."""


class Follower:
    """Reads one machine's log forward from where it stood before the first message was sent.

    Attributes:
        seen: The newest block that was read; None if nobody knows where to begin.
        wanted: The producer's messages that somebody still asks for, by count.
    """

    def __init__(self, log: BlockLog, machine: str) -> None:
        self.seen: int | None = None
        self.wanted: WeakValueDictionary[int, Parcel] = WeakValueDictionary()
        self._log = log
        self._machine = machine
        self._parts: dict[str, list[ActionOutcome]] = {}
        self._lock = Lock()

    def begin(self) -> None:
        """Note where the log stands: nothing that is sent from now on is at or below."""
        with self._lock:
            if self.seen is None:
                newest = self._log.head(self._machine)
                self.seen = newest.number if newest else 0

    def look(self) -> bool:
        """Read what is new, until nothing is wanted any more; whether anything was.

        Raises:
            Corrupted: The log lacks a block, or a block does not hold what was sent.
            Unavailable: The log could not be read.
        """
        with self._lock:
            if self.seen is None:
                newest = self._log.head(self._machine)
                self.seen = max(0, newest.number - SEARCHED) if newest else 0
            before = self.seen
            for block in self._log.read(self._machine, self.seen + 1):
                if block.number != self.seen + 1:
                    raise Corrupted(
                        f"the log of machine {self._machine!r} lacks block {self.seen + 1}",
                        hint="`blockfold verify` names the first that is missing",
                    )
                self._take(block)
                self.seen = block.number
                if not self.wanted:
                    break
            return self.seen > before

    def _take(self, block: Block) -> None:
        for record in block.body.messages:
            found = self._parts.pop(record.id, [])
            parcel = self.wanted.pop(record.count, None) if self._is_wanted(record) else None
            if parcel is not None:
                parcel.outcomes = _whole(parcel, [*found, *_outcomes(block, record)])
        # A message that was split goes on in one of the next blocks; until it ends there, no
        # record says whose it is. Only the last one of a block can be such.
        if any(mark.next is not None for mark in block.body.marks):
            for last in block.body.messages[-1:]:
                self._parts[last.id] = [*found, *_outcomes(block, last)]
            while len(self._parts) > PARTS:
                del self._parts[next(iter(self._parts))]
        else:
            self._parts.clear()

    def _is_wanted(self, record: MessageRecord) -> bool:
        parcel = self.wanted.get(record.count)
        return parcel is not None and parcel.producer == record.producer


class Followers:
    """The followers of all machines that a producer sends to.

    Args:
        log: The blocks, archived ones included.
    """

    def __init__(self, log: BlockLog) -> None:
        self._log = log
        self._all: dict[str, Follower] = {}

    def want(self, parcel: Parcel) -> None:
        """Look for a parcel from now on, for as long as somebody holds it."""
        follower = self._all.get(parcel.machine)
        if follower is None:
            follower = self._all[parcel.machine] = Follower(self._log, parcel.machine)
        follower.wanted[parcel.count] = parcel

    def begin(self, parcels: Collection[Parcel]) -> None:
        """Note where the logs stand, before these parcels are sent.

        A log that cannot be read now keeps nobody from sending: then `Follower.look` begins so
        many blocks before the head that it finds.
        """
        for parcel in parcels:
            follower = self._all[parcel.machine]
            if follower.seen is None:
                try:
                    follower.begin()
                except BlockfoldError:
                    continue

    def look(self, machine: str) -> bool:
        """See `Follower.look`."""
        return self._all[machine].look()

    def seen(self, machine: str) -> int:
        """The newest block of a machine that was read."""
        return self._all[machine].seen or 0


def _outcomes(block: Block, record: MessageRecord) -> list[ActionOutcome]:
    return [
        ActionOutcome(
            id=record.action_id(index),
            number=block.number,
            outcome=action.outcome,
            reason=action.reason,
            type=action.type,
            args=decode(bytes(action.args)),
            sender=record.sender,
            time=record.time,
        )
        for index, action in enumerate(record.actions)
    ]


def _whole(parcel: Parcel, found: list[ActionOutcome]) -> list[ActionOutcome]:
    """The outcomes of all its actions.

    A message that did not unpack is recorded as one malformed action: all in it ended so.
    """
    if len(found) == 1 and found[0].type is None:
        return found * parcel.actions
    if len(found) != parcel.actions:
        raise Corrupted(
            f"message {parcel.count} of producer {parcel.producer} to machine {parcel.machine!r} "
            f"had {parcel.actions:,} actions, its blocks up to {found[-1].number} hold "
            f"{len(found):,}",
            hint="`blockfold verify` tells whether the log is whole",
        )
    return found
