"""Where the bot remembers: a stack, or objects in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blockfold.records import Readable


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an action; it stands in a block.

    Attributes:
        outcome: ``applied``, ``rejected``, ``failed`` or ``malformed``.
        reason: Why, unless it was applied.
        number: The block.
    """

    outcome: str
    reason: str
    number: int


class Memory(Protocol):
    """Remembers for each server apart."""

    def tell(self, server: str, type_: str, /, **args: object) -> Told:
        """Hand over an action, and wait until it stands in a block.

        Whoever dies on the way leaves either nothing or a whole action; asking shows which.

        Args:
            server: The server's name, any text.
            type_: What to do: an action of `machines.remember.Remember`.
            args: The action's arguments.

        Raises:
            Unavailable: It could not be handed over, or not be found in a block in time: it may
                be carried out later.
        """

    def state(self, server: str) -> Readable:
        """What is remembered for a server now, exactly; empty for a server never heard of.

        Raises:
            Unavailable: It could not be read; this, or reading on.
        """
