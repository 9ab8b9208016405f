"""The history of one key: each value that it had, read off the log as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blockfold.application.history import origin_manifest
from blockfold.application.travel import Traveller, snapshot_values
from blockfold.domain.block import ActionRecord, Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.manifest import Origin
from blockfold.domain.replay import check_link


@dataclass(frozen=True, slots=True)
class AppliedAction:
    """An action that a block applied: its id, and its record."""

    id: str
    record: ActionRecord


@dataclass(frozen=True, slots=True)
class Version:
    """One value that a key was given.

    Attributes:
        number: The block that gave it.
        time: That block's time, milliseconds since 1970 UTC.
        value: The value, or None for deleted.
        actions: The actions that the block applied. One of them did it; which of several, only
            re-executing the block tells (`blockfold.application.frames`).
        origin: Where the value comes from if it was a restore or fork block; None otherwise.
    """

    number: int
    time: int
    value: Canonical | None
    actions: tuple[AppliedAction, ...]
    origin: Origin | None


def versions(
    traveller: Traveller, machine: str, key: str, first: int, last: int
) -> Iterator[Version]:
    """What blocks ``first`` … ``last`` did to a key, oldest first; runs no user code.

    A restore or fork block is among them if the key has another value after it than before.

    Raises:
        Corrupted: Log or snapshots are damaged.
    """
    before: Canonical | None = None
    known = first == 1
    for block in linked(machine, first, traveller.log.read(machine, first, last)):
        origin = block.body.origin
        if origin is None:
            changes = block.body.changes
            if key not in changes:
                continue
            value = changes[key]
        else:
            if not known:  # no block since the first changed it: it is what it was before that
                before = traveller.values(machine, [key], first - 1).get(key)
            manifest = origin_manifest(traveller.snapshots, block)
            value = snapshot_values(traveller.snapshots, manifest, [key]).get(key)
            if value == before:
                known = True
                continue
        before, known = value, True
        yield Version(block.number, block.header.time, value, _applied(block), origin)


def linked(machine: str, first: int, blocks: Iterable[Block]) -> Iterator[Block]:
    """Pass blocks on while they begin with a number and each follows the one before.

    Raises:
        Corrupted: They do not.
    """
    head = Head(machine=machine) if first == 1 else None
    for block in blocks:
        if head is not None:
            check_link(head, block)
        elif block.number != first:
            raise Corrupted(
                f"block {first} of machine {machine!r} is missing: its log goes on with block "
                f"{block.number}"
            )
        yield block
        head = block.head


def _applied(block: Block) -> tuple[AppliedAction, ...]:
    return tuple(
        AppliedAction(message.action_id(index), record)
        for message, index, record in block.body.actions
        if record.outcome == "applied"
    )
