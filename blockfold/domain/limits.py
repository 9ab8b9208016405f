"""How much one action may write, and when a block is full.

An action is never divided, so it has limits of its own. A block ends with the action that fills
it: `Limits.payload` before its last action, then that action with at most `MAX_ACTION_BYTES` of
writes and the arguments that a message of 1 MiB can hold (22 MB at most: ``1e125`` is written as
126 digits). That is less than 44 MiB, and a body can be stored and read up to 64 MiB.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockfold.domain.canonical import Canonical, encode_raw

MAX_ACTION_BYTES = 16 * 1024 * 1024
"""What one action's changes and events may take as JSON."""

MAX_ACTION_KEYS = 50_000
"""Keys that one action may write or delete. DynamoDB takes about 1,000 writes a second below one
partition key, and an executor has 60 s: more could not be flushed by one invocation."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a block is full. A message goes into the next block rather than being split.

    Attributes:
        actions: Most actions in a block.
        payload: Bytes of actions and changes after which no further message is taken.
    """

    actions: int = 10_000
    payload: int = 4 * 1024 * 1024


def entry_bytes(key: str, value: Canonical | None) -> int:
    """Bytes that a change takes in a block's body."""
    return len(encode_raw(key)) + len(value or b"") + 2
