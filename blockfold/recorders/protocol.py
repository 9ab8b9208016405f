"""What a recorder is: something that is told of each dispatch, and may keep snapshots.

A recorder has up to four methods. Only `Recorder.after_dispatch` must be there; leaving out one of
the others declares that the recorder cannot do it (`capabilities`): without `load_snapshot` a
machine starts from genesis, without `create_snapshot` nothing is kept when it stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from blockfold.domain.block import Block, Outcome
from blockfold.domain.canonical import Json
from blockfold.ports import ObjectStore
from blockfold.recorders.snapshot import Snapshot

Capability = Literal["create_snapshot", "get_snapshots", "load_snapshot"]
CAPABILITIES: tuple[Capability, ...] = ("create_snapshot", "get_snapshots", "load_snapshot")


class Frame(Protocol):
    """{action, state} right after one action was dispatched; read only, and its own copy.

    What is costly is computed when it is read: a recorder that only looks at `number` costs
    nothing, whatever the state's size.
    """

    @property
    def machine(self) -> str:
        """The machine's id."""

    @property
    def number(self) -> int:
        """The block that the action stands in; 0 in the first frame."""

    @property
    def position(self) -> int:
        """Its place in the block, from 1; 0 if no action was dispatched."""

    @property
    def last(self) -> bool:
        """Whether it is the last frame of its block: the block's state is complete."""

    @property
    def action(self) -> Mapping[str, Json] | None:
        """``{type, args, id}``; None in the first frame, and in that of a restore or fork."""

    @property
    def outcome(self) -> Outcome | None:
        """What became of the action; None without one."""

    @property
    def reason(self) -> str | None:
        """Why it was not applied."""

    @property
    def block(self) -> Block | None:
        """The block; None in the first frame."""

    @property
    def changes(self) -> Mapping[str, Json]:
        """What the action changed: key → new value, None for deleted."""

    @property
    def state(self) -> Mapping[str, Json]:
        """The whole state right after it, in key order. Built when it is asked for."""

    def snapshot(self) -> Snapshot:
        """The state after the frame's block as a value that can be stored.

        Raises:
            Refused: It is the first frame: there is no block to be a snapshot of.
        """


@runtime_checkable
class Recorder(Protocol):
    """Is told of each dispatch."""

    def after_dispatch(self, frame: Frame) -> None:
        """An action was dispatched. Called in order, first with a frame without an action.

        The action is in a block already: an error here does not undo it, and reaches whoever
        wrote the action.
        """


@runtime_checkable
class CreatesSnapshots(Protocol):
    """A recorder that can make a snapshot now."""

    def create_snapshot(self) -> int | None:
        """Keep the state after the last frame; its block's number, or None before any block.

        Idempotent: without a block since the last one, nothing is written.
        """


@runtime_checkable
class ListsSnapshots(Protocol):
    """A recorder that knows what it keeps."""

    def get_snapshots(self) -> Sequence[int]:
        """The blocks that have a snapshot, in order."""


@runtime_checkable
class LoadsSnapshots(Protocol):
    """A recorder that gives back what it keeps."""

    def load_snapshot(self, id: int | None = None) -> Snapshot | None:  # noqa: A002 - the term
        """The snapshot of a block, the newest if None; None if there is none.

        Raises:
            Corrupted: It is there and damaged.
            Unavailable: It could not be read.
        """


@runtime_checkable
class KeepsLog(Protocol):
    """A recorder whose store holds everything, in the formats of a deployed stack.

    A machine that has one starts with its whole past, and can restore in place durably.

    Attributes:
        machine: Whose store it is: the machine's id.
        objects: Where archive, snapshots and pinned manifests stand. Whoever stores a snapshot of
            the machine there besides, or pins one, tells the recorder of its block first: a
            snapshot of a block that the log lacks is refused.
    """

    machine: str
    objects: ObjectStore

    def flush(self) -> None:
        """Store all blocks that are not stored yet; durable when it returns. No snapshot."""

    def close(self) -> None:
        """Record what is left, and stop waiting for quiet. Closing twice is no error."""


def capabilities(recorder: object) -> frozenset[Capability]:
    """What a recorder declares that it can do besides being told."""
    return frozenset(name for name in CAPABILITIES if callable(getattr(recorder, name, None)))
