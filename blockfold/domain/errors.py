"""Every error that Blockfold raises, in one tree.

::

    BlockfoldError                what was attempted, why it failed, what to do next
    ├── DefinitionError           a machine class is written wrongly
    ├── InvalidAction             a message holds something that is no valid action
    ├── LimitExceeded             a key, value or number that the store would refuse or change,
    │                             or more of them than an action or a block may hold
    ├── NotFound                  a machine, block or stack that does not exist
    │   └── BucketMissing         the bucket, or the folder that stands for one
    ├── Corrupted                 stored data contradicts its hash, its parent or its neighbour
    ├── Refused                   what was asked for contradicts what is there; nothing was changed
    ├── BlockConflict             another writer committed this block number first
    ├── Unavailable               a service did not do what was asked; the same call may work later
    │   ├── Behind                time ran out before a state table had caught up
    │   ├── NotRecorded           actions stand in a block, but a recorder could not store it
    │   └── StorageFull           a disk or a quota has no room left
    └── Misconfigured             settings that cannot work
        └── AccessDenied          whoever asks may not: a permission is missing

``OutOfTime`` stands outside the tree: it derives from ``BaseException`` so that a reducer's
``except Exception`` does not swallow the end of its time budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blockfold.domain.block import Block


class BlockfoldError(Exception):
    """Base of all errors: a message, and a hint that says what to do next.

    Args:
        message: What was attempted, on what, and why it failed.
        hint: The next step for the reader; empty when there is none.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class DefinitionError(BlockfoldError):
    """A machine class or one of its actions is written in a way that cannot work."""


class InvalidAction(BlockfoldError):
    """Something in a message is no valid action: recorded as ``malformed``, never executed."""


class LimitExceeded(BlockfoldError):
    """Outside the limits of ``canonical`` (one value) or ``limits`` (one action or block)."""


class NotFound(BlockfoldError):
    """A machine, block, key or stack that was asked for does not exist."""


class BucketMissing(NotFound):
    """The bucket does not exist, or the folder that stands for one."""


class Corrupted(BlockfoldError):
    """Stored data contradicts its own hash, its parent, or the log."""


class Unavailable(BlockfoldError):
    """A service failed, refused or throttled a call; nothing says that it must fail again."""


class StorageFull(Unavailable):
    """A disk, a quota or a limit has no room for what was to be stored."""


class Refused(BlockfoldError):
    """What was asked for contradicts what is there; nothing was changed."""


class Misconfigured(BlockfoldError):
    """Settings, context or arguments that cannot work together."""


class AccessDenied(Misconfigured):
    """Whoever asks lacks a permission: of a role in AWS, or of a user on files."""


class BlockConflict(BlockfoldError):
    """Another writer committed this number first.

    Args:
        winner: The block that holds the number now.
    """

    def __init__(self, winner: Block) -> None:
        super().__init__(f"block {winner.number} of machine {winner.machine!r} exists already")
        self.winner = winner


class OutOfTime(BaseException):
    """Raised inside a reducer when its time budget is used up."""
