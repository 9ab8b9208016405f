"""Execution: head, state and messages go in, the next block comes out.

Nothing here reads a clock, draws a random number or does I/O: the state comes through a `Source`
and a reducer's time is bounded by a `Guard`, both given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from blockfold.domain import digest
from blockfold.domain.action import Action, Malformed, Message
from blockfold.domain.apply import (
    Guard,
    Runner,
    Verdict,
    apply,
    malformed,
    record_of,
    unguarded,
    weight,
)
from blockfold.domain.block import (
    ActionRecord,
    Block,
    Body,
    Head,
    Header,
    Mark,
    MessageRecord,
    derived_id,
    payload_hash,
)
from blockfold.domain.canonical import encode_raw
from blockfold.domain.context import Context, Event
from blockfold.domain.limits import Limits
from blockfold.domain.machine import Machine
from blockfold.domain.marks import advance
from blockfold.domain.state import Source, State


def never() -> bool:
    """A `pressed` that never asks a block to be cut early."""
    return False


def execute(
    machine: Machine,
    head: Head,
    source: Source,
    messages: Sequence[Message],
    *,
    limits: Limits | None = None,
    guard: Guard = unguarded,
    pressed: Callable[[], bool] = never,
    runner: Runner | None = None,
) -> Block:
    """Fold messages into the block after ``head``.

    Takes as many whole messages as fit; a message is split only when it cannot fit a block that
    holds nothing else. At least one action is executed, so a caller that goes on with what is
    left always comes to an end.

    Args:
        machine: The reducers.
        head: What the block builds on.
        source: The state after ``head``.
        messages: At least one message, in the queue's order, none of them done before.
        limits: When the block is full.
        guard: Bounds each reducer's time.
        pressed: Asked after each action; True cuts the block here, because time is short.
        runner: Runs each action; in this process, under the guard, if None.

    Raises:
        Unavailable: The source could not be read; nothing was recorded.
    """
    runner = runner or partial(apply, guard=guard)
    builder = BlockBuilder(machine, head, source, limits or Limits(), runner, pressed)
    for message in messages:
        if not builder.add(message):
            break
    return builder.build()


class BlockBuilder:
    """Puts one block together, message by message."""

    def __init__(
        self,
        machine: Machine,
        head: Head,
        source: Source,
        limits: Limits,
        runner: Runner,
        pressed: Callable[[], bool],
    ) -> None:
        self._machine = machine
        self._head = head
        self._state = State(source)
        self._limits = limits
        self._runner = runner
        self._pressed = pressed
        self._records: list[MessageRecord] = []
        self._events: list[Event] = []
        self._marks: tuple[Mark, ...] = head.marks
        self._ordinal = head.ordinal
        self._time = head.time
        self._size = 0

    def add(self, message: Message) -> bool:
        """Execute a message's actions.

        Returns:
            Whether the block can take another message. A message that did not fit behind others
            left no trace; one that filled the block alone is recorded as far as it went.
        """
        asked = message.asked
        time = max(self._time, message.sent)
        records: list[ActionRecord] = []
        events: list[Event] = []
        size = 0
        full = False
        for position in range(message.first, len(asked)):
            each = asked[position]
            verdict = self._verdict(each, message, position, time, len(records))
            record = record_of(each, verdict)
            size += weight(record, verdict)
            full = verdict.died or self._is_full(len(records) + 1, size)
            if full and self._records and position + 1 < len(asked):
                self._state.drop_message()
                return False
            self._state.keep(verdict.changes)
            records.append(record)
            events.extend(verdict.events)
            if full:
                break
        done = message.first + len(records)
        whole = done >= len(asked)
        self._records.append(
            MessageRecord(
                id=message.id,
                sender=message.sender,
                time=time,
                actions=tuple(records),
                first=message.first,
                producer=message.producer if whole else "",
                count=message.count if whole else 0,
            )
        )
        self._marks = advance(self._marks, message, None if whole else done)
        self._ordinal += len(records)
        self._time = time
        self._size += size
        self._events.extend(events)
        self._state.keep_message()
        return not full

    def build(self) -> Block:
        """The block of all that was added."""
        return assemble(
            self._head,
            self._state,
            self._records,
            self._events,
            self._marks,
            time=self._time,
            code=self._machine.code(),
        )

    def _is_full(self, actions: int, size: int) -> bool:
        return (
            self._ordinal - self._head.ordinal + actions >= self._limits.actions
            or self._size + size >= self._limits.payload
            or self._pressed()
        )

    def _verdict(
        self, asked: Action | Malformed, message: Message, position: int, time: int, before: int
    ) -> Verdict:
        if isinstance(asked, Malformed):
            return malformed(asked)
        context = Context(
            machine=self._head.machine,
            ordinal=self._ordinal + before,
            number=self._head.number + 1,
            id=asked.id or derived_id(message.id, position),
            sender=message.sender,
            milliseconds=time,
        )
        return self._runner(self._machine, self._state, context, asked)


def assemble(
    head: Head,
    state: State,
    messages: Sequence[MessageRecord],
    events: Sequence[Event],
    marks: tuple[Mark, ...],
    *,
    time: int,
    code: str,
) -> Block:
    """The block after ``head`` from what its messages did to the state."""
    changes, before = state.net_changes()
    total, keys = head.total, head.keys
    for key, value in changes.items():
        total = digest.replace(total, key, before[key], value, digest.remembered_number)
        keys += (value is not None) - (before[key] is not None)
    body = Body(
        messages=tuple(messages),
        set={key: msgspec.Raw(data) for key, data in changes.items() if data is not None},
        deleted=tuple(key for key, data in changes.items() if data is None),
        events=tuple(events),
        marks=marks,
    )
    return seal(head, body, total=total, keys=keys, time=time, code=code)


def seal(head: Head, body: Body, *, total: int, keys: int, time: int, code: str) -> Block:
    """The block after ``head`` with that body: counts, hashes and header."""
    payload = encode_raw(body)
    header = Header(
        machine=head.machine,
        number=head.number + 1,
        epoch=head.epoch,
        parent=head.hash,
        body=payload_hash(payload),
        digest=digest.digest_of(total),
        ordinal=head.ordinal,
        outcomes=body.outcomes,
        changes=len(body.set) + len(body.deleted),
        keys=keys,
        time=time,
        code=code,
    )
    return Block.of(header, body, payload, total)
