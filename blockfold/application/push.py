"""Pack actions into messages, and wait until they stand in blocks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from blockfold.domain.action import Action, Malformed, parse
from blockfold.domain.block import Mark
from blockfold.domain.errors import InvalidAction, Misconfigured, Unavailable
from blockfold.ports import BlockLog, Clock, Receipt

MAX_MESSAGE_BYTES = 1024 * 1024
"""SQS: a message is at most 1 MiB."""

MAX_MACHINE_CHARACTERS = 128
POLL_SECONDS = 0.1

_GROUP_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)


def check_machine_id(machine: str) -> str:
    """The id itself, if SQS takes it as a MessageGroupId.

    Raises:
        Misconfigured: It is empty, too long, or holds other than letters, digits, punctuation.
    """
    if 1 <= len(machine) <= MAX_MACHINE_CHARACTERS and set(machine) <= _GROUP_CHARACTERS:
        return machine
    raise Misconfigured(
        f"{machine!r} cannot be a machine id",
        hint=f"1 to {MAX_MACHINE_CHARACTERS} letters, digits and ASCII punctuation, as SQS asks",
    )


def check_actions(lines: Iterable[str]) -> list[tuple[int, str]]:
    """Lines of JSON, each one valid action, with their numbers; empty lines are left out.

    Raises:
        InvalidAction: A line is no action; the error names it.
    """
    return [(number, text) for number, text, _ in _actions(lines)]


def read_actions(lines: Iterable[str]) -> list[tuple[int, Action]]:
    """The actions in lines of JSON, one each, with the lines' numbers; empty lines are left out.

    Raises:
        InvalidAction: A line is no action; the error names it.
    """
    return [(number, action) for number, _, action in _actions(lines)]


def _actions(lines: Iterable[str]) -> Iterator[tuple[int, str, Action]]:
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if not text.startswith("{"):
            raise InvalidAction(
                f"line {number} is no action: {text[:60]}",
                hint='write {"type": …, "args": {…}}, one a line',
            )
        found = parse(text)[0]
        if isinstance(found, Malformed):
            raise InvalidAction(f"line {number} is no action: {found.reason}")
        yield number, text, found


def pack(actions: Iterable[str], per_message: int) -> Iterator[tuple[str, int]]:
    """Message bodies in order, each with the number of actions in it.

    Args:
        actions: Actions as JSON.
        per_message: Most actions in a message; one alone is sent as it is, more as an array.
    """
    group: list[str] = []
    size = 2
    for action in actions:
        cost = len(action.encode()) + 1
        if group and (len(group) >= per_message or size + cost > MAX_MESSAGE_BYTES):
            yield _body(group), len(group)
            group, size = [], 2
        group.append(action)
        size += cost
    if group:
        yield _body(group), len(group)


def to_line(type_: str, args: dict[str, object]) -> str:
    """An action as a line of JSON."""
    return json.dumps({"type": type_, "args": args}, ensure_ascii=False)


def wait_until_done(
    log: BlockLog, clock: Clock, machine: str, receipt: Receipt, *, seconds: float
) -> int:
    """Wait until a message stands in a block; the head's number then.

    Args:
        log: The blocks.
        clock: Time.
        machine: The machine's id.
        receipt: What the queue answered when it took the message.
        seconds: How long to wait without the head moving.

    Raises:
        Unavailable: The head stood still for that long.
    """
    seen = -1
    moved = clock.monotonic()
    while True:
        newest = log.head(machine)
        number = newest.number if newest else 0
        if newest and any(_done(mark, receipt) for mark in newest.body.marks):
            return number
        if number != seen:
            seen, moved = number, clock.monotonic()
        elif clock.monotonic() - moved > seconds:
            raise Unavailable(
                f"machine {machine!r} stands at block {number} and has not moved for {seconds:g} s",
                hint="the actions wait in the queue: look at the executor's log and at the "
                "dead-letter queue",
            )
        clock.sleep(POLL_SECONDS)


def _done(mark: Mark, receipt: Receipt) -> bool:
    """Whether a message stands wholly at or below a mark of its queue."""
    if mark.queue != receipt.queue:
        return False
    ahead = int(mark.sequence) - int(receipt.sequence)
    return ahead > 0 or (ahead == 0 and mark.next is None)


def _body(group: list[str]) -> str:
    return group[0] if len(group) == 1 else f"[{','.join(group)}]"
