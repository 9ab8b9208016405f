"""Remembers in a deployed stack, in AWS or on this machine."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from uuid import uuid4

from blockfold import State
from blockfold.client import Stack
from blockfold.client import connect as connect_to
from blockfold.domain.action import Action
from blockfold.domain.canonical import encode
from blockfold.domain.errors import NotFound
from blockfold.domain.replay import EntriesSource
from blockfold.records import Readable
from examples.bot.memory import Told
from examples.bot.naming import machine_of

PATIENCE_SECONDS = 30.0
LOOKED_THROUGH = 50
"""Blocks that may be made between sending an action and looking for it the first time."""


class StackMemory:
    """See `examples.bot.memory.Memory`.

    Needs ``sqs:SendMessage`` on the stack's queue, and what reading takes (``docs/reading.md``).

    Args:
        stack: A stack of the machine `machines.remember.Remember`.
        patience: Seconds to wait for an action's block.
    """

    def __init__(self, stack: Stack, patience: float = PATIENCE_SECONDS) -> None:
        self._stack = stack
        self._patience = patience

    @classmethod
    def connect(cls, name: str | None) -> Self:
        """Find the stack; see `blockfold.client.connect`.

        Raises:
            NotFound: There is no such stack.
            Misconfigured: Nothing names a stack.
            Unavailable: It could not be looked up.
        """
        return cls(connect_to(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open."""

    def tell(self, server: str, type_: str, /, **args: object) -> Told:
        """Send an action under an id of its own, and find it in a block; see `Memory`."""
        machine, id_ = machine_of(server), uuid4().hex
        body = encode(Action.of(type_, id_, **args).to_json()).decode()
        self._stack.queue.send(machine, body)
        reader = self._stack.machine(machine)
        found = reader.wait(id_, self._patience, blocks=LOOKED_THROUGH)
        return Told(found.outcome, found.reason or "", found.number)

    def state(self, server: str) -> Readable:
        """The state at the head, read key by key; see `Memory`."""
        try:
            return self._stack.machine(machine_of(server)).state()
        except NotFound:  # the first action makes the machine
            return State(EntriesSource({}))
