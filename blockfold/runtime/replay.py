"""The replay gate: recorded history through other code, before that code goes on with it."""

from __future__ import annotations

from dataclasses import dataclass

from blockfold.domain.frames import rerun
from blockfold.domain.machine import Machine
from blockfold.runtime.past import Past
from blockfold.runtime.view import Entries


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a log that was executed again.

    Attributes:
        blocks: Blocks that gave what is recorded.
        actions: Actions in them.
        number: The first block that differs; None if none does.
        differences: How: outcomes, keys, events, digest.
        remarks: What else is worth knowing of the first block with remarks: another wording of a
            reason, other code.
    """

    blocks: int
    actions: int
    number: int | None = None
    differences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every block came out as it is recorded."""
        return self.number is None

    def __str__(self) -> str:
        """In words."""
        if self.number is None:
            return f"{self.blocks} blocks with {self.actions} actions come out as recorded"
        return f"block {self.number} differs: {'; '.join(self.differences)}"


def replayed(past: Past, code: Machine) -> Replayed:
    """Execute every block again on the recorded state before it, up to the first that differs.

    Blocks that bring a state back execute nothing.

    Args:
        past: The log.
        code: The reducers.

    Raises:
        Corrupted: Log or snapshots are damaged.
    """
    history = past.stores.history()
    replica = history.at(past.machine, past.first)
    blocks = actions = 0
    remarks: tuple[str, ...] = ()
    for block in past.blocks(past.first + 1, past.head):
        if block.body.origin is None:
            done = rerun(code, replica.head, Entries(replica.entries), block)
            remarks = remarks or tuple(done.remarks)
            if done.differences:
                return Replayed(blocks, actions, block.number, tuple(done.differences), remarks)
        replica.advance(block)
        blocks, actions = blocks + 1, actions + block.actions
    return Replayed(blocks, actions, remarks=remarks)
