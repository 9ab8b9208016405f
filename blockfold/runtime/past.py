"""The past of a machine, frame by frame: what each action changed, and the state after it.

A block of one action is read from the log. One of several is executed again on the state before
it, which needs the code that made it; the frame that ends a block never does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING

from blockfold.application.frames import Stepper
from blockfold.domain.block import ActionRecord, Block, MessageRecord
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import NotFound, Refused
from blockfold.domain.frames import Rerun
from blockfold.domain.machine import Machine
from blockfold.domain.state import Changes
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.stores import Stores

if TYPE_CHECKING:
    from blockfold.runtime.walk import Walk

RERUNS = 8
"""Blocks of several actions whose frames are kept."""


class Past:
    """Reads the past of one machine.

    Args:
        stores: Where it is kept.
        code: The reducers.
        first: The oldest block whose state can be read: 0 unless the recorder keeps no log.

    Attributes:
        stores: See above.
        code: See above.
        first: See above.
        walk: Where a cursor is kept that makes the states of frames asked for in a row cheap.
        lock: Held by whoever moves that cursor.
    """

    def __init__(self, stores: Stores, code: Machine, first: int) -> None:
        self.stores = stores
        self.code = code
        self.first = first
        self.walk: Walk | None = None
        self.lock = RLock()
        self._reruns: OrderedDict[str, Rerun] = OrderedDict()

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self.stores.machine

    @property
    def head(self) -> int:
        """The newest block."""
        return self.stores.head

    def check(self, number: int) -> int:
        """The number itself, if the state right after that block can be read.

        Raises:
            NotFound: There is no such block, or none any more.
        """
        if not self.first <= number <= self.head:
            older = ""
            if 0 <= number < self.first:
                older = f": its recorder keeps snapshots, but no blocks before {self.first}"
            raise NotFound(
                f"machine {self.machine!r} has no block {number}{older}",
                hint=f"its blocks are {self.first} to {self.head}",
            )
        return number

    def block(self, number: int) -> Block:
        """A block.

        Raises:
            NotFound: There is no such block, or none any more.
        """
        block = self.stores.log.get(self.machine, self.check(number))
        if block is None:
            raise NotFound(f"machine {self.machine!r} has no block {number} any more")
        return block

    def changes(self, block: Block, position: int) -> Changes:
        """What a frame changed, in key order.

        Raises:
            Refused: It stands among others in its block, and this code gives other outcomes.
        """
        if block.body.origin is not None:
            return self._brought_back(block)
        if block.actions == 1:
            return block.body.changes
        return self._rerun(block).frames[position - 1].changes

    def entries(self, number: int, position: int) -> dict[str, Canonical]:
        """The whole state right after a frame, in no order."""
        block = self.block(number) if number > self.first else None
        if block is None or block.body.origin is not None or position >= frames_in(block):
            return dict(self.stores.traveller().entries(self.machine, number)[1])
        entries = dict(self.stores.traveller().entries(self.machine, number - 1)[1])
        for each in range(1, position + 1):
            put_over(entries, self.changes(block, each))
        return entries

    def snapshot(self, number: int) -> Snapshot:
        """The state right after a block as a value.

        Raises:
            Refused: It is the state before the first block.
            NotFound: There is no such block.
        """
        if number == 0:
            raise Refused(
                "there is no block 0, and so no snapshot of it",
                hint="before block 1 the state is empty: there is nothing to start from",
            )
        block = self.block(number)
        _, entries = self.stores.traveller().entries(self.machine, number)
        return Snapshot(block, dict(entries))

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Blocks of a range, in order."""
        return self.stores.log.read(self.machine, first, last)

    def _brought_back(self, block: Block) -> Changes:
        """What a restore or fork block changed."""
        number = block.number
        if number == 1:
            return dict(self.stores.traveller().entries(self.machine, 1)[1])
        found = self.stores.traveller().difference(self.machine, number - 1, number)
        changes: Changes = {**found.added, **dict.fromkeys(found.removed)}
        changes.update((key, value) for key, (_, value) in found.changed.items())
        return {key: changes[key] for key in sorted(changes)}

    def _rerun(self, block: Block) -> Rerun:
        with self.lock:
            done = self._reruns.get(block.hash)
            if done is None:
                stepper = Stepper(self.stores.traveller())
                done = stepper.step(self.machine, block.number, self.code)
                self._reruns[block.hash] = done
                if len(self._reruns) > RERUNS:
                    self._reruns.popitem(last=False)
        if done.differences:
            raise Refused(
                f"the frames inside block {block.number} cannot be shown: executed again, "
                f"{done.differences[0]}",
                hint=f"{block.header.code} made it: step through it with that code; "
                f"at(block={block.number}) needs none",
            )
        return done


def frames_in(block: Block) -> int:
    """How many frames a block has: one an action, and one if it brings a state back."""
    return max(1, block.actions)


def record_at(block: Block, position: int) -> tuple[MessageRecord, int, ActionRecord] | None:
    """The action of a frame, with its message and its place in it; None if there is none."""
    for at, each in enumerate(block.body.actions, start=1):
        if at == position:
            return each
    return None


def put_over(entries: dict[str, Canonical], changes: Changes) -> Changes:
    """Lay changes over a state; the values that those keys had before, None for absent ones."""
    old: Changes = {key: entries.get(key) for key in changes}
    for key, value in changes.items():
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
    return old
