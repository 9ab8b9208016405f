"""Writing actions, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event, Lock
from typing import Literal

from blockfold.domain.action import Action
from blockfold.domain.block import Block, MessageRecord, Outcome
from blockfold.domain.canonical import encode
from blockfold.domain.errors import Misconfigured, Refused
from blockfold.runtime.ports import Writer

Status = Literal["sent", "done"]


class Written:
    """An action on its way: ``sent``, and ``done`` once it stands in a block.

    Args:
        message: The id of its message.
        wait: Waits so many seconds at most for it to be done.

    Attributes:
        message: See above.
        id: The action's id: the one that was given, else derived from the message's; None before
            it is done.
        number: The block that it stands in; None before.
        outcome: What became of it; None before.
        reason: Why it was not applied.
        trouble: Why the recorder could not be told; the action stands in its block all the same.
    """

    def __init__(self, message: str, wait: Callable[[Written, float], None]) -> None:
        self.message = message
        self.id: str | None = None
        self.number: int | None = None
        self.outcome: Outcome | None = None
        self.reason: str | None = None
        self.trouble: Exception | None = None
        self._wait = wait
        self._done = Event()

    @property
    def status(self) -> Status:
        """Whether it stands in a block."""
        return "done" if self._done.is_set() else "sent"

    def wait(self, seconds: float) -> bool:
        """Wait until it stands in a block; whether it does.

        Raises:
            BlockfoldError: It does, but the recorder could not be told, or what executes actions
                is in trouble.
        """
        if not self._done.is_set():
            self._wait(self, seconds)
        if self.trouble is not None:
            raise self.trouble
        return self._done.is_set()

    def wait_done(self, seconds: float) -> bool:
        """Only wait, for somebody else's work; whether it is done."""
        return self._done.wait(seconds)

    def resolve(self, block: Block, message: MessageRecord) -> None:
        """It stands in a block, as the first action of its message."""
        record = message.actions[0]
        self.id, self.number = message.action_id(0), block.number
        self.outcome, self.reason = record.outcome, record.reason

    def finish(self, trouble: Exception | None) -> None:
        """The recorder was told, or could not be."""
        self.trouble = trouble
        self._done.set()

    def __repr__(self) -> str:
        """What is known of it."""
        if self.number is None:
            return f"<Written {self.message}: sent>"
        why = f" ({self.reason})" if self.reason else ""
        return f"<Written {self.id}: {self.outcome} in block {self.number}{why}>"


class Outbox:
    """Hands actions to a writer, and knows who waits for them.

    Args:
        machine: The machine's id.
        writer: Where they go; None if there is nowhere.

    Attributes:
        writer: See above.
    """

    def __init__(self, machine: str, writer: Writer | None) -> None:
        self.writer = writer
        self._machine = machine
        self._waiting: dict[str, Written] = {}
        self._sending = Lock()

    def send(self, body: str, wait: Callable[[Written, float], None]) -> Written:
        """Hand over a message of one action.

        Args:
            body: The message.
            wait: See `Written`.

        Raises:
            Refused: There is no writer.
            Unavailable: The writer may or may not have taken it.
        """
        if self.writer is None:
            raise Refused(
                f"machine {self._machine!r} has nowhere to write to",
                hint="give it a channel or a writer",
            )
        with self._sending:  # whoever reads it meanwhile waits to learn who waits for it
            written = Written(self.writer.write(body), wait)
            self._waiting[written.message] = written
        return written

    def resolve(self, block: Block) -> list[Written]:
        """Those whose actions stand in a block; they are told of it, and not done before `finish`.

        Nobody waits for the rest of a message that was split.
        """
        found: list[Written] = []
        with self._sending:
            for message in block.body.messages if self._waiting else ():
                if message.first == 0 and (written := self._waiting.pop(message.id, None)):
                    written.resolve(block, message)
                    found.append(written)
        return found


def body_of(action: str | Mapping[str, object], args: Mapping[str, object]) -> str:
    """An action as a message: its type and arguments, or the whole of it.

    Raises:
        LimitExceeded: Something in it is no JSON.
        Misconfigured: Arguments are given twice.
    """
    if isinstance(action, str):
        return encode(Action.of(action, **args).to_json()).decode()
    if args:
        raise Misconfigured(
            "arguments stand in the action or beside it, not both",
            hint='write("plant", tree="t1") or write({"type": "plant", "args": {"tree": "t1"}})',
        )
    return encode(dict(action)).decode()
