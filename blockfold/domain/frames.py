"""Frames: a block executed again action by action, and held against what was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blockfold.domain.action import Malformed
from blockfold.domain.apply import Guard, Verdict, apply, record_of, unguarded
from blockfold.domain.block import ActionRecord, Block, Head, MessageRecord
from blockfold.domain.canonical import Canonical
from blockfold.domain.context import Context, Event
from blockfold.domain.execute import assemble
from blockfold.domain.machine import Machine
from blockfold.domain.state import Changes, Source, State


@dataclass(frozen=True, slots=True)
class Frame:
    """One action right after it was executed again.

    Attributes:
        position: Its place in the block, from 1.
        id: Its id.
        sender: The principal as the queue authenticated it.
        time: Milliseconds since 1970 UTC.
        recorded: What the block says of it.
        found: What came of it now.
        changes: What it changed now: key → value, or None for deleted.
    """

    position: int
    id: str
    sender: str
    time: int
    recorded: ActionRecord
    found: ActionRecord
    changes: Changes

    @property
    def agrees(self) -> bool:
        """Whether the outcome is the recorded one."""
        return self.found.outcome == self.recorded.outcome


@dataclass(frozen=True, slots=True)
class Rerun:
    """A block executed again.

    Attributes:
        block: The block as recorded.
        again: The block that came out now.
        frames: One for each of its actions, in order.
    """

    block: Block
    again: Block
    frames: tuple[Frame, ...]

    @property
    def differences(self) -> list[str]:
        """Where outcomes, changes, events or digest are not the recorded ones; empty if none."""
        found = [
            f"action {frame.position} ({frame.found.type}) is {_outcome(frame.found)} now, "
            f"recorded is {_outcome(frame.recorded)}"
            for frame in self.frames
            if not frame.agrees
        ]
        now, recorded = self.again.body.changes, self.block.body.changes
        found += [
            f"key {key!r} is {_shown(now, key)} now, recorded is {_shown(recorded, key)}; "
            f"{self._last_writer(key)}"
            for key in sorted(now.keys() | recorded.keys())
            if now.get(key, b"") != recorded.get(key, b"")
        ]
        if self.again.body.events != self.block.body.events:
            found.append(
                f"{len(self.again.body.events)} events are emitted now, other than the "
                f"{len(self.block.body.events)} recorded"
            )
        if self.again.header.digest != self.block.header.digest:
            found.append(
                f"the digest is {self.again.header.digest} now, recorded is "
                f"{self.block.header.digest}"
            )
        return found

    @property
    def remarks(self) -> list[str]:
        """What is worth knowing though it changes no outcome: other code, other wording."""
        found: list[str] = []
        if self.again.header.code != self.block.header.code:
            found.append(
                f"{self.block.header.code} made the block, this is {self.again.header.code}"
            )
        found += [
            f"action {frame.position} ({frame.found.type}) gives another reason: "
            f"{frame.found.reason!r} now, recorded is {frame.recorded.reason!r}"
            for frame in self.frames
            if frame.agrees and frame.found.reason != frame.recorded.reason
        ]
        return found

    def _last_writer(self, key: str) -> str:
        for frame in reversed(self.frames):
            if key in frame.changes:
                return f"action {frame.position} ({frame.found.type}) wrote it last"
        return "no action writes it"


def rerun(
    machine: Machine, head: Head, source: Source, block: Block, guard: Guard = unguarded
) -> Rerun:
    """Execute a recorded block's actions again on the state before it.

    Outcomes that came from time or memory running out are taken over, not repeated. With the
    code that made the block, the result is the block itself, hash and all.

    Args:
        machine: The reducers.
        head: The block before it.
        source: The state after ``head``.
        block: The block; no restore or fork block.
        guard: Bounds each reducer's time.

    Raises:
        Unavailable: The source could not be read.
    """
    state = State(source)
    frames: list[Frame] = []
    events: list[Event] = []
    messages: list[MessageRecord] = []
    written: Changes = {}
    for message in block.body.messages:
        records: list[ActionRecord] = []
        for index, record in enumerate(message.actions):
            ordinal = head.ordinal + len(frames)
            verdict = _verdict(machine, state, head, message, index, ordinal, guard)
            found = record if verdict is None else record_of(record.asked, verdict)
            changes = {} if verdict is None else _real(verdict.changes, written, source)
            if verdict is not None:
                state.keep(verdict.changes)
                events.extend(verdict.events)
            written.update(changes)
            records.append(found)
            frames.append(
                Frame(
                    position=len(frames) + 1,
                    id=message.action_id(index),
                    sender=message.sender,
                    time=message.time,
                    recorded=record,
                    found=found,
                    changes=changes,
                )
            )
        state.keep_message()
        messages.append(
            MessageRecord(
                id=message.id,
                sender=message.sender,
                time=message.time,
                actions=tuple(records),
                first=message.first,
                producer=message.producer,
                count=message.count,
            )
        )
    again = assemble(
        head,
        state,
        messages,
        events,
        block.body.marks,
        time=block.header.time,
        code=machine.code(),
    )
    return Rerun(block, again, tuple(frames))


def with_states(
    entries: dict[str, Canonical], frames: Sequence[Frame]
) -> Iterator[tuple[Frame, dict[str, Canonical]]]:
    """Each frame with the whole state right after its action, in key order.

    Args:
        entries: The state before the first of them.
        frames: The frames of a block.
    """
    state = dict(entries)
    for frame in frames:
        for key, value in frame.changes.items():
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
        yield frame, {key: state[key] for key in sorted(state)}


def _verdict(
    machine: Machine,
    state: State,
    head: Head,
    message: MessageRecord,
    index: int,
    ordinal: int,
    guard: Guard,
) -> Verdict | None:
    """What becomes of an action now; None if its record is taken over."""
    record = message.actions[index]
    asked = record.asked
    if isinstance(asked, Malformed) or record.environment:
        return None
    context = Context(
        machine=head.machine,
        ordinal=ordinal,
        number=head.number + 1,
        id=message.action_id(index),
        sender=message.sender,
        milliseconds=message.time,
    )
    return apply(machine, state, context, asked, guard)


def _real(changes: Changes, written: Changes, source: Source) -> Changes:
    """Without writes of the value that a key had already, in key order."""
    unknown = [key for key in changes if key not in written]
    before: Changes = {**source.get_many(unknown), **written} if changes else {}
    return {key: changes[key] for key in sorted(changes) if changes[key] != before.get(key)}


def _outcome(record: ActionRecord) -> str:
    return record.outcome if record.reason is None else f"{record.outcome} ({record.reason})"


def _shown(changes: Changes, key: str) -> str:
    if key not in changes:
        return "unchanged"
    value = changes[key]
    return "deleted" if value is None else value.decode()
