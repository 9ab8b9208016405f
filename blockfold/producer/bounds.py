"""How a producer packs, and how much it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from blockfold.adapters.envelope import MAX_UNPACKED_BYTES
from blockfold.domain.errors import Misconfigured
from blockfold.producer.parcel import ATTRIBUTE_BYTES

MAX_ACTIONS = 10_000
"""The most actions that `Bounds.actions` may allow: a block takes no more of them at once."""

_MAX_PAYLOAD = 1024 * 1024 - ATTRIBUTE_BYTES
assert _MAX_PAYLOAD < MAX_UNPACKED_BYTES, "what fits uncompressed may also be compressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A producer's bounds.

    Attributes:
        actions: Most actions in a message, at most `MAX_ACTIONS`.
        payload: Most bytes of actions in a message before compression; at most 1 MiB less 512
            bytes, so that any fits that does not compress. An action that is larger alone goes
            alone, if it has at most 1 MiB.
        linger: Seconds that an action waits for others to share its message.
        waiting_actions: Most actions that SQS has not acknowledged; `push` waits beyond.
        waiting_bytes: The same in bytes, before compression. One action always has room.
        patience: Seconds that `push` waits for room before it raises; None for as long as it takes.
        senders: Most requests under way at the same time: each of other machines.
    """

    actions: int = 1_000
    payload: int = 256 * 1024
    linger: float = 0.02
    waiting_actions: int = 100_000
    waiting_bytes: int = 16 * 1024 * 1024
    patience: float | None = None
    senders: int = 4

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            Misconfigured: One cannot be.
        """
        ranges = {"actions": MAX_ACTIONS, "payload": _MAX_PAYLOAD, "waiting_actions": None}
        for name, most in {**ranges, "waiting_bytes": None, "senders": None}.items():
            value = getattr(self, name)
            if value < 1 or (most is not None and value > most):
                raise Misconfigured(
                    f"a producer with {name}={value!r} cannot be",
                    hint=f"from 1 to {most:,}" if most else "1 or more",
                )
        if self.linger < 0:
            raise Misconfigured(f"linger={self.linger!r} is no time", hint="seconds, 0 or more")


class Options(TypedDict, total=False):
    """See `Bounds`; as keywords of a producer."""

    actions: int
    payload: int
    linger: float
    waiting_actions: int
    waiting_bytes: int
    patience: float | None
    senders: int
