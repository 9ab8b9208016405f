"""What became of one action: found by its id, newest blocks first, or waited for."""

from __future__ import annotations

from dataclasses import dataclass

from blockfold.application.travel import Traveller
from blockfold.domain.block import Block, Outcome
from blockfold.domain.canonical import Json, decode
from blockfold.domain.errors import Unavailable


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """One action as its block records it.

    Attributes:
        id: Its id: the sender's, or ``<MessageId>/<position>``.
        number: The block.
        outcome: ``applied``, ``rejected``, ``failed`` or ``malformed``.
        reason: Why it was not applied; None if it was.
        type: The action's type; None if it was malformed beyond recognition.
        args: Its arguments.
        sender: The principal as the queue authenticated it.
        time: Milliseconds since 1970 UTC.
    """

    id: str
    number: int
    outcome: Outcome
    reason: str | None
    type: str | None
    args: Json
    sender: str
    time: int

    @property
    def applied(self) -> bool:
        """Whether the action changed what it was meant to."""
        return self.outcome == "applied"


@dataclass(slots=True)
class Watch:
    """Looks for an action again and again, each time only through the blocks that are new.

    Attributes:
        traveller: Reads blocks.
        machine: The machine's id; it need not exist yet.
        id: The action's id. Senders may use one twice: the newest counts.
        blocks: How many of the newest blocks are looked through the first time.
        seen: The newest block that was looked through; None before the first time.
    """

    traveller: Traveller
    machine: str
    id: str
    blocks: int
    seen: int | None = None

    def look(self) -> ActionOutcome | None:
        """The action's outcome, or None if no block that was looked through holds it.

        Raises:
            Corrupted: The log is damaged.
        """
        newest = self.traveller.log.head(self.machine)
        head = newest.number if newest else 0
        seen = max(0, head - self.blocks) if self.seen is None else self.seen
        for block in self.traveller.newest_first(self.machine, seen + 1, head):
            if (found := outcome_in(block, self.id)) is not None:
                return found
        self.seen = max(seen, head)
        return None

    def missed(self, seconds: float) -> Unavailable:
        """The error when it was waited for in vain, so many seconds."""
        return Unavailable(
            f"the action {self.id!r} stands in no block of machine {self.machine!r} after "
            f"{seconds:g} s; its head is block {self.seen}",
            hint="it waits in the queue, or was sent under another id: look at the executor's log "
            "and at the dead-letter queue",
        )


def outcome_in(block: Block, id_: str) -> ActionOutcome | None:
    """The outcome of the action with an id in a block, the last if there are several, or None."""
    found = None
    for message, index, record in block.body.actions:
        if message.action_id(index) == id_:
            found = ActionOutcome(
                id=id_,
                number=block.number,
                outcome=record.outcome,
                reason=record.reason,
                type=record.type,
                args=decode(bytes(record.args)),
                sender=message.sender,
                time=message.time,
            )
    return found
