"""Read a machine: its state at the head or at any block of the past, and its blocks.

Nothing here runs user code, so old history reads right under new code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blockfold.application.history import origin_state
from blockfold.application.key_history import Version, versions
from blockfold.application.lost import check_reaches
from blockfold.application.points import number_at
from blockfold.application.travel import Difference, Traveller
from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.digest import EMPTY, digest_of
from blockfold.domain.errors import NotFound
from blockfold.domain.manifest import Manifest
from blockfold.domain.point import Point
from blockfold.domain.replay import fold
from blockfold.ports import BlockLog, MachineRecord, Machines, Row, SnapshotStore, StateTable


@dataclass(frozen=True, slots=True)
class StateView:
    """A machine's state, or a part of it, at one block.

    Attributes:
        machine: The machine's id.
        number: The block; 0 before the first.
        digest: The digest of the whole state at that block.
        entries: Key → value as canonical bytes, in key order.
    """

    machine: str
    number: int
    digest: str
    entries: dict[str, Canonical]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads machines from their stores.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore

    def list_machines(self) -> list[tuple[MachineRecord, Head]]:
        """All machines by id, each with its head."""
        records = sorted(self.machines.list(), key=lambda record: record.machine)
        return [(record, self._head(record.machine)) for record in records]

    def head(self, machine: str) -> Head:
        """A machine's head.

        Raises:
            NotFound: There is no such machine.
        """
        head = self._head(machine)
        if head.number == 0 and self.machines.get(machine) is None:
            raise NotFound(
                f"there is no machine {machine!r}",
                hint="its first action makes it: `blockfold push`; `blockfold machines` lists all",
            )
        return head

    def state(self, machine: str, *, key: str | None = None, prefix: str = "") -> StateView:
        """The state at the head, exactly: the table, and over it what is not flushed yet.

        Reads ``flushed``, then rows, then the log up to the head. A row can only come from a
        block that was committed before it was read, so the log read last covers every row.

        Args:
            machine: The machine's id.
            key: Only this key.
            prefix: Only keys that start with it.

        Raises:
            NotFound: There is no such machine.
            Corrupted: The log ends before what the state table holds.
        """
        record = self.machines.get(machine)
        flushed = record.flushed if record else 0
        rows = self._rows(machine, key, prefix)
        entries = {row.key: row.value for row in rows if row.value is not None}
        head = self.head(machine)
        check_reaches(machine, head.number, flushed)
        for block in self.log.read(machine, flushed + 1, head.number):
            if block.body.origin is None:
                fold(entries, block)
            else:
                entries = origin_state(self.snapshots, block)
        return StateView(machine, head.number, head.digest, _only(entries, key, prefix))

    def state_at(
        self, machine: str, number: int, *, key: str | None = None, prefix: str = ""
    ) -> StateView:
        """The state right after a block of the past: the nearest snapshot and the blocks since.

        Args:
            machine: The machine's id.
            number: The block; 0 for the state before the first.
            key: Only this key.
            prefix: Only keys that start with it.

        Raises:
            NotFound: There is no such machine or block.
            Corrupted: Log or snapshot are damaged.
        """
        self._check_number(machine, number, lowest=0)
        if key is None:
            head, found = self._traveller.entries(machine, number, prefix)
            return StateView(machine, number, head.digest, dict(found))
        entries = self._traveller.values(machine, [key], number)
        digest = self.block(machine, number).header.digest if number else digest_of(EMPTY)
        return StateView(machine, number, digest, _only(entries, key, prefix))

    def number_at(self, machine: str, point: Point) -> int:
        """The number of the block that a point of the past means.

        Raises:
            NotFound: There is no such machine, block or snapshot, or nothing is so old.
        """
        return number_at(self.log, self.snapshots, machine, point, self.head(machine).number)

    def difference(self, machine: str, old: int, new: int) -> Difference:
        """What changed between two blocks, in either direction.

        Raises:
            NotFound: There is no such machine or block.
            Corrupted: Log or snapshots are damaged.
        """
        for number in (old, new):
            self._check_number(machine, number, lowest=0)
        return self._traveller.difference(machine, old, new)

    def history(
        self, machine: str, key: str, first: int = 1, last: int | None = None
    ) -> Iterator[Version]:
        """Each value that blocks ``first`` … ``last`` (the head if None) gave a key, oldest first.

        Raises:
            NotFound: There is no such machine or block.
            Corrupted: Log or snapshots are damaged; reading on may raise it, too.
        """
        head = self.head(machine).number
        if (first, last, head) == (1, None, 0):
            return iter(())
        for number in (first, head if last is None else last):
            self._check_number(machine, number, lowest=1)
        return versions(self._traveller, machine, key, first, head if last is None else last)

    def manifests(self, machine: str) -> Iterator[Manifest]:
        """The snapshots of a machine, oldest first.

        Raises:
            NotFound: There is no such machine.
            Corrupted: A manifest is damaged.
        """
        self.head(machine)
        for number in self.snapshots.numbers(machine):
            manifest = self.snapshots.get(machine, number)
            if manifest is not None:
                yield manifest

    def block(self, machine: str, number: int) -> Block:
        """One block.

        Raises:
            NotFound: There is no such machine or block.
        """
        self._check_number(machine, number, lowest=1)
        block = self.log.get(machine, number)
        if block is None:
            raise NotFound(f"machine {machine!r} has no block {number} any more")
        return block

    def blocks(self, machine: str, first: int = 1, last: int | None = None) -> Iterator[Block]:
        """Blocks ``first`` … ``last`` in order; the head's number if ``last`` is None.

        Raises:
            NotFound: There is no such machine, or one of the blocks is above its head.
        """
        if (first, last) == (1, None) and self.head(machine).number == 0:
            return iter(())
        for number in (first, *(() if last is None else (last,))):
            self._check_number(machine, number, lowest=1)
        return self.log.read(machine, first, last)

    @property
    def _traveller(self) -> Traveller:
        return Traveller(self.log, self.snapshots)

    def _head(self, machine: str) -> Head:
        newest = self.log.head(machine)
        return newest.head if newest else Head(machine=machine)

    def _check_number(self, machine: str, number: int, *, lowest: int) -> None:
        head = self.head(machine)
        if not lowest <= number <= head.number:
            raise NotFound(
                f"machine {machine!r} has no block {number}",
                hint=f"its blocks are {lowest} to {head.number}",
            )

    def _rows(self, machine: str, key: str | None, prefix: str) -> list[Row]:
        if key is not None:
            return list(self.table.get(machine, [key]).values())
        return list(self.table.scan(machine, prefix))


def _only(entries: dict[str, Canonical], key: str | None, prefix: str) -> dict[str, Canonical]:
    return {
        each: entries[each]
        for each in sorted(entries)
        if each.startswith(prefix) and (key is None or each == key)
    }
