"""What a reducer may know besides the state: where it stands, when, and who asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from blockfold.domain.canonical import Canonical, encode_raw, encode_value, normalise
from blockfold.domain.errors import LimitExceeded
from blockfold.domain.limits import MAX_ACTION_BYTES

MAX_EVENT_TYPE_CHARACTERS = 128

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Event(msgspec.Struct, frozen=True):
    """A domain event that a reducer emitted, recorded in the block and published from there.

    Attributes:
        type: Name of the event (EventBridge ``detail-type``; at most 128 characters).
        detail: JSON object as canonical bytes.
        action: Ordinal of the action that emitted it.
    """

    type: str
    detail: msgspec.Raw
    action: int


class Context(msgspec.Struct, kw_only=True, eq=False):
    """The recorded circumstances of one action: all that is not state and not arguments.

    Attributes:
        machine: The machine's id.
        ordinal: How many actions this machine had before; independent of batching.
        number: The block that the action will stand in. Depends on batching: a reducer that
            uses it gives other results when the same actions are cut into other blocks.
        id: The action's id, given by the sender or derived from its message.
        sender: The principal as SQS authenticated it. Authorise by role id: session names
            are the caller's choice.
        milliseconds: The action's time since 1970 UTC.
        events: What the reducer emitted so far.
        emitted: Bytes that these events take in the block.
    """

    machine: str
    ordinal: int
    number: int
    id: str
    sender: str
    milliseconds: int
    events: list[Event] = []
    emitted: int = 0
    _random: Random | None = None

    @property
    def time(self) -> datetime:
        """When the queue accepted the action (UTC, milliseconds); never before its predecessor."""
        return _EPOCH + timedelta(milliseconds=self.milliseconds)

    @property
    def random(self) -> Random:
        """A generator seeded by machine and ordinal: the same numbers at every execution."""
        if self._random is None:
            self._random = Random(f"{self.machine}/{self.ordinal}")  # noqa: S311 - not for secrets
        return self._random

    def emit(self, type_: str, /, **detail: object) -> None:
        """Record a domain event; it is published once the block is committed.

        An action that is rejected or fails emits nothing.

        Raises:
            LimitExceeded: The type is no string of 1 to 128 characters, or the detail is no
                JSON object within the limits of values; or there are more events than one
                action may write (`blockfold.domain.limits`).
        """
        if not isinstance(type_, str) or not 1 <= len(type_) <= MAX_EVENT_TYPE_CHARACTERS:
            raise LimitExceeded("an event type has 1 to 128 characters")
        normalise(type_)
        data: Canonical = encode_value(detail)
        event = Event(type_, msgspec.Raw(data), self.ordinal)
        size = len(encode_raw(event)) + 1
        if self.emitted + size > MAX_ACTION_BYTES:
            raise LimitExceeded(
                f"the action emits more than {MAX_ACTION_BYTES:,} bytes, the most for one action"
            )
        self.emitted += size
        self.events.append(event)
