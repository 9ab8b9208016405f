"""Bring a machine's state table up to its log, restore and fork blocks included.

Safe to run anywhere, by anyone, at the same time: every write is fenced by its block's number,
and what is done already is fenced off or found equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from blockfold.application.history import origin_manifest
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Unavailable
from blockfold.domain.replay import contiguous
from blockfold.ports import BlockLog, Clock, Machines, Row, SnapshotStore, StateTable, Write

CHUNK = 500
"""Writes between two looks at the clock."""


@dataclass(slots=True)
class CaughtUp:
    """What was done.

    Attributes:
        number: The block that the table stands at.
        restores: For each restore and fork block on the way, how many keys were stored for it,
            and how many deleted.
    """

    number: int
    restores: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Writes to the state table what the log has and the table has not.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: Where restore and fork blocks take their state from.
        clock: Time.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock

    def run(self, machine: str, *, deadline: float) -> CaughtUp:
        """Bring the table up to the head.

        Ordinary blocks are coalesced to one write a key. A restore or fork block first has all
        before it flushed, then writes only the difference between its snapshot and the table.

        Args:
            machine: The machine's id.
            deadline: When to stop, by the clock's ``monotonic``.

        Raises:
            Unavailable: Time ran out or a store failed; a further run goes on from there.
            Corrupted: Log or snapshot are damaged.
        """
        record = self.machines.get(machine) or self.machines.register(machine)
        result = CaughtUp(record.flushed)
        pending: dict[str, Write] = {}
        unflushed = self.log.read(machine, record.flushed + 1)
        for block in contiguous(machine, record.flushed, unflushed):
            if block.body.origin is None:
                for key, value in block.body.changes.items():
                    pending[key] = Write(key, value, block.number)
                result.number = block.number
                if len(pending) >= CHUNK:
                    self._store(machine, iter(pending.values()), deadline, result)
                    pending.clear()
                    self.machines.raise_flushed(machine, block.number)
                continue
            self._store(machine, iter(pending.values()), deadline, result)
            pending.clear()
            self.machines.raise_flushed(machine, block.number - 1)
            counts = self._store(machine, self._difference(block), deadline, result)
            result.restores[block.number] = counts
            self.machines.raise_flushed(machine, block.number)
            result.number = block.number
        self._store(machine, iter(pending.values()), deadline, result)
        if result.number > record.flushed:
            self.machines.raise_flushed(machine, result.number)
        return result

    def _difference(self, block: Block) -> Iterator[Write]:
        target = self.snapshots.entries(origin_manifest(self.snapshots, block))
        return difference(target, self.table.scan(block.machine), block.number)

    def _store(
        self, machine: str, writes: Iterator[Write], deadline: float, result: CaughtUp
    ) -> tuple[int, int]:
        """Store the writes; how many keys were stored and how many deleted."""
        written = deleted = 0
        while chunk := list(islice(writes, CHUNK)):
            if self.clock.monotonic() >= deadline:
                raise Unavailable(
                    f"machine {machine!r} is catching up with its log and stands at block "
                    f"{result.number}",
                    hint="the next call goes on from there",
                )
            self.table.write(machine, chunk)
            deletions = sum(1 for write in chunk if write.value is None)
            deleted += deletions
            written += len(chunk) - deletions
        return written, deleted


def difference(
    target: Iterator[tuple[str, Canonical]], rows: Iterator[Row], number: int
) -> Iterator[Write]:
    """What turns the rows into the target, in key order; both are read as streams.

    Args:
        target: The wanted state, in key order.
        rows: The table, in key order, tombstones included.
        number: The block that the writes belong to.
    """
    row = next(rows, None)
    for key, value in target:
        while row is not None and row.key < key:
            if row.value is not None:
                yield Write(row.key, None, number)
            row = next(rows, None)
        if row is None or row.key != key:
            yield Write(key, value, number, new=True)
            continue
        if row.value != value:
            yield Write(key, value, number)
        row = next(rows, None)
    while row is not None:
        if row.value is not None:
            yield Write(row.key, None, number)
        row = next(rows, None)
