"""What became of a dead letter, to be shown."""

from __future__ import annotations

from dataclasses import dataclass

from blockfold.application.dead_letter import Plan, Standing
from blockfold.ports import Letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What became of a dead letter, or would.

    Attributes:
        machine: The machine's id.
        message: Its MessageId.
        sent: When one of the two queues took it, milliseconds since 1970 UTC.
        producer: The idempotent producer that sent it; empty for any other sender.
        count: The producer's own number for it; 0 without one.
        standing: How much of it stood in blocks; None if that cannot be told.
        actions: How many actions it has.
        held: How many of them stood in blocks.
        blocks: The first and the last block that held some; None if none did.
        messages: Messages in which the rest of it was sent, or would be.
        left: Why it was left, or would be; empty if it is none any more.
    """

    machine: str
    message: str
    sent: int
    producer: str
    count: int
    standing: Standing | None
    actions: int
    held: int = 0
    blocks: tuple[int, int] | None = None
    messages: int = 0
    left: str = ""


def redriven(letter: Letter, plan: Plan | None, left: str) -> Redriven:
    """What became of a letter.

    Args:
        letter: The letter.
        plan: What was to be done with it; None if that cannot be told.
        left: Why it was left; empty if it was not.
    """
    message = letter.message
    return Redriven(
        machine=letter.machine,
        message=message.id,
        sent=message.sent,
        producer=message.producer,
        count=message.count,
        standing=plan.standing if plan else None,
        actions=plan.actions if plan else len(message.asked),
        held=plan.held if plan else 0,
        blocks=plan.blocks if plan else None,
        messages=len(plan.parts) if plan else 0,
        left=left,
    )
