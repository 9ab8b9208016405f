"""One action: run its reducer against the state, and tell what becomes of it.

Nothing here reads a clock: a reducer's time is bounded by a `Guard` that the caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import msgspec

from blockfold.domain.action import Action, Malformed
from blockfold.domain.block import ActionRecord, Outcome
from blockfold.domain.canonical import encode_raw
from blockfold.domain.context import Context, Event
from blockfold.domain.errors import InvalidAction, LimitExceeded, OutOfTime
from blockfold.domain.limits import MAX_ACTION_BYTES, entry_bytes
from blockfold.domain.machine import Machine, Reject
from blockfold.domain.state import Changes, State

MAX_REASON_CHARACTERS = 1_000

_MESSAGE_BYTES = 64
_APPLIED_BYTES = _MESSAGE_BYTES + len('{"type":"","args":}')
_OPEN = nullcontext()
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Guard(Protocol):
    """Bounds the time of a reducer."""

    def __call__(self) -> AbstractContextManager[object]:
        """A context whose body is ended by `OutOfTime` when the budget is used up."""


def unguarded() -> AbstractContextManager[object]:
    """A `Guard` that lets a reducer run for ever."""
    return _OPEN


class Verdict(msgspec.Struct, frozen=True):
    """What became of one action.

    Attributes:
        outcome: See `Outcome`.
        reason: Why it was not applied.
        environment: It came from time, memory or a process running out.
        changes: What it changed; empty unless it was applied.
        events: What it emitted; empty unless it was applied.
        died: It took its process along. The block ends with it, so that this is soon durable.
    """

    outcome: Outcome
    reason: str | None = None
    environment: bool = False
    changes: Changes = {}
    events: Sequence[Event] = ()
    died: bool = False


class Runner(Protocol):
    """Runs one action against a state and leaves the state as it was: `apply`, or elsewhere."""

    def __call__(
        self, machine: Machine, state: State, context: Context, asked: Action, /
    ) -> Verdict:
        """What becomes of the action.

        Raises:
            BlockfoldError: The state's source could not be read, or the action could not be run
                at all: nobody's outcome.
        """


def malformed(asked: Malformed) -> Verdict:
    """The verdict on what was no action."""
    return Verdict("malformed", _clip(asked.reason))


def apply(
    machine: Machine, state: State, context: Context, asked: Action, guard: Guard = unguarded
) -> Verdict:
    """Run one action against the state and leave the state as it was.

    Returns:
        The outcome with the changes to `State.keep`, which are empty unless it was applied.

    Raises:
        BlockfoldError: The state's source could not be read, which is nobody's outcome.
    """
    try:
        spec = machine.find(asked.type)
        with guard():
            spec.reducer(machine, state, context, **spec.check(asked.args))
        changes = state.collect(MAX_ACTION_BYTES - context.emitted)
        verdict = Verdict("applied", changes=changes, events=tuple(context.events))
    except InvalidAction as error:
        verdict = Verdict("malformed", _clip(error.message))
    except Reject as no:
        verdict = Verdict("rejected", _text(no))
    except OutOfTime as end:
        verdict = Verdict("failed", _text(end) or "ran out of its time", environment=True)
    except (MemoryError, RecursionError) as error:
        verdict = Verdict("failed", type(error).__name__, environment=True)
    except LimitExceeded as error:
        verdict = Verdict("failed", _clip(error.message))
    except BaseException as error:  # noqa: BLE001 - no reducer may stop the machine
        verdict = Verdict("failed", _clip(f"{type(error).__name__}: {_text(error)}".rstrip(": ")))
    finally:
        state.drop()
    if state.trouble is not None:
        raise state.trouble
    return verdict


def record_of(asked: Action | Malformed, verdict: Verdict) -> ActionRecord:
    """What a block keeps of an action and its verdict."""
    if isinstance(asked, Malformed):
        return ActionRecord(outcome="malformed", reason=verdict.reason, raw=asked.raw)
    return ActionRecord(
        type=asked.type,
        args=msgspec.Raw(asked.args),
        id=asked.id,
        outcome=verdict.outcome,
        reason=verdict.reason,
        environment=verdict.environment,
    )


def weight(record: ActionRecord, verdict: Verdict) -> int:
    """Bytes that an action adds to a block's body, with its share of a message's own."""
    if record.outcome == "applied" and record.id is None:
        size = len(record.args) + len((record.type or "").encode()) + _APPLIED_BYTES
    else:
        size = len(encode_raw(record)) + _MESSAGE_BYTES
    for key, data in verdict.changes.items():
        size += entry_bytes(key, data)
    for event in verdict.events:
        size += len(encode_raw(event)) + 1
    return size


def _text(error: BaseException) -> str:
    try:
        return _clip(str(error))
    except BaseException:  # noqa: BLE001 - a reducer's own exception class may not even print
        return ""


def _clip(text: str) -> str:
    """A reason that is the same at every execution and fits a block."""
    text = _ADDRESS.sub("", text).encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_REASON_CHARACTERS else text[: MAX_REASON_CHARACTERS - 1] + "…"
