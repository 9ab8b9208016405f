"""Frames: {action, state} right after each action, from the beginning to the head."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import overload

from blockfold.domain.block import ActionRecord, Block, MessageRecord, Outcome
from blockfold.domain.canonical import Canonical, Json, decode
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.past import Past, frames_in, record_at
from blockfold.runtime.view import StateView, view_of
from blockfold.runtime.walk import Walk


class Frame:
    """A `blockfold.recorders.protocol.Frame`: what is costly is computed when it is read.

    Args:
        past: Where it is read from.
        number: Its block.
        position: Its place in the block, from 1; 0 if no action was dispatched.
        block: The block; None in the first frame.
    """

    def __init__(self, past: Past, number: int, position: int, block: Block | None) -> None:
        self._past = past
        self.number = number
        self.position = position
        self.block = block

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self._past.machine

    @property
    def last(self) -> bool:
        """Whether it is the last frame of its block: the block's state is complete."""
        return self.block is None or self.position in {0, frames_in(self.block)}

    @cached_property
    def action(self) -> Mapping[str, Json] | None:
        """``{type, args, id}``, with ``raw`` if it was malformed; None without an action."""
        found = self._record
        if found is None:
            return None
        message, index, record = found
        action: dict[str, Json] = {
            "type": record.type,
            "args": decode(bytes(record.args)),
            "id": message.action_id(index),
        }
        return action if record.raw is None else {**action, "raw": record.raw}

    @property
    def outcome(self) -> Outcome | None:
        """What became of the action; None without one."""
        return self._record[2].outcome if self._record else None

    @property
    def reason(self) -> str | None:
        """Why it was not applied."""
        return self._record[2].reason if self._record else None

    @property
    def sender(self) -> str:
        """Who sent the action; empty if nobody knows."""
        return self._record[0].sender if self._record else ""

    @property
    def time(self) -> int:
        """When, milliseconds since 1970 UTC; 0 in the first frame."""
        if self._record:
            return self._record[0].time
        return self.block.header.time if self.block else 0

    @cached_property
    def changes(self) -> Mapping[str, Json]:
        """What the frame changed: key → new value, None for deleted.

        (A value that is null counts as a value: `raw_changes` tells them apart.)
        """
        return {
            key: None if value is None else decode(value) for key, value in self.raw_changes.items()
        }

    @property
    def raw_changes(self) -> dict[str, Canonical | None]:
        """What it changed, values as canonical bytes."""
        return {} if self.block is None else self._past.changes(self.block, self.position)

    @cached_property
    def state(self) -> StateView:
        """The whole state right after it, in key order; its own copy."""
        with self._past.lock:
            walk = self._past.walk
            if walk is None:
                walk = self._past.walk = Walk(self._past, self.number, self.position)
            walk.move(self.number, self.position)
            return view_of(dict(walk.entries))

    def snapshot(self) -> Snapshot:
        """The state after the frame's block as a value that can be stored.

        Raises:
            Refused: It is the state before the first block.
        """
        return self._past.snapshot(self.number)

    def __repr__(self) -> str:
        """Where it stands, and what was asked."""
        at = f"block {self.number}" + (f", action {self.position}" if self.position else "")
        if self.action is None:
            origin = self.block.body.origin if self.block else None
            return f"<Frame {at}: {origin.text if origin else 'as it was found'}>"
        return f"<Frame {at}: {self.action['type']} {self.outcome}>"

    @cached_property
    def _record(self) -> tuple[MessageRecord, int, ActionRecord] | None:
        return None if self.block is None else record_at(self.block, self.position)


def frame_at(past: Past, number: int, position: int | None = None) -> Frame:
    """The frame at a place; the one that ends the block if no position is given.

    Raises:
        NotFound: There is no such block.
    """
    if past.check(number) == past.first:
        return Frame(past, number, 0, None)
    block = past.block(number)
    last = frames_in(block) if block.body.origin is None else 0
    return Frame(past, number, last if position is None else position, block)


def frames_of(past: Past, block: Block) -> Iterator[Frame]:
    """The frames of a block, in order."""
    if block.body.origin is not None:
        yield Frame(past, block.number, 0, block)
        return
    for position in range(1, block.actions + 1):
        yield Frame(past, block.number, position, block)


class Frames(Sequence[Frame]):
    """All frames: the first is the state that the log begins with, the last is the head's.

    It grows with the log. Where a frame stands is known from the blocks' headers, which are read
    once, when somebody first asks for a frame by its index.

    Args:
        past: Where they are read from.
    """

    def __init__(self, past: Past) -> None:
        self._past = past
        self._ends: list[int] = []
        """The index of the last frame of each block after the first state."""

    def __len__(self) -> int:
        ends = self._known()
        return 1 + (ends[-1] if ends else 0)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...

    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self._at(each) for each in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"there are frames 0 to {count - 1}, not {index}")
        return self._at(index % count)

    def __iter__(self) -> Iterator[Frame]:
        """The frames up to the head as it is now."""
        past = self._past
        head = past.head
        yield frame_at(past, past.first)
        for block in past.blocks(past.first + 1, head):
            yield from frames_of(past, block)

    def __repr__(self) -> str:
        """Of which machine, and how far they go. Reads nothing."""
        return f"<Frames of {self._past.machine} up to block {self._past.head}>"

    def place(self, index: int) -> tuple[int, int]:
        """The block and the position of a frame."""
        ends = self._known()
        if index == 0:
            return self._past.first, 0
        at = bisect_left(ends, index)
        number = self._past.first + 1 + at
        position = index - (ends[at - 1] if at else 0)
        return number, position if self._past.block(number).body.origin is None else 0

    def index(self, frame: object, start: int = 0, stop: int | None = None) -> int:
        """Where a frame stands.

        Raises:
            ValueError: It is no frame of this machine.
        """
        found = -1
        if isinstance(frame, Frame) and frame.machine == self._past.machine:
            found = self.index_of(frame.number, frame.position)
        if not start <= found < (len(self) if stop is None else stop):
            raise ValueError(f"{frame!r} is not among these frames")
        return found

    def index_of(self, number: int, position: int) -> int:
        """The index of the frame at a place."""
        ends = self._known()
        at = number - self._past.first - 1
        return 0 if at < 0 else (ends[at - 1] if at else 0) + max(position, 1)

    def _at(self, index: int) -> Frame:
        return frame_at(self._past, *self.place(index))

    def _known(self) -> list[int]:
        """The ends, up to the head."""
        past, ends = self._past, self._ends
        with past.lock:
            known = past.first + len(ends)
            if known < past.head:
                for block in past.blocks(known + 1, past.head):
                    ends.append((ends[-1] if ends else 0) + frames_in(block))
        return ends
