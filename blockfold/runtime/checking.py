"""Prove that what is kept of a machine agrees, as far back as it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from blockfold.application.verify import Verification, Verifier
from blockfold.application.writers import last_writers
from blockfold.domain.digest import digest_of, sum_of
from blockfold.domain.errors import Corrupted
from blockfold.domain.replay import folded_total
from blockfold.ports import Row, StateTable
from blockfold.runtime.booting import Booted
from blockfold.runtime.stores import Stores


def verified(stores: Stores, booted: Booted) -> Verification:
    """Verify a machine. Rows that came from a snapshot at the start are held against its block.

    Args:
        stores: Where it is kept.
        booted: What it was started from.
    """
    if booted.first:
        return _verified_since(stores, booted.first)
    table = stores.table
    if booted.snapshot is not None:
        try:
            writers = last_writers(
                stores.log, stores.snapshots, stores.machine, booted.snapshot, lambda _block: None
            )
        except Corrupted:
            writers = {}  # the verifier says more about it
        table = cast("StateTable", _AsWritten(table, booted.snapshot, writers))
    verifier = Verifier(stores.log, table, stores.machines, stores.snapshots)
    return verifier.verify(stores.machine)


def _verified_since(stores: Stores, first: int) -> Verification:
    """Verify a machine whose log begins at a snapshot."""
    machine = stores.machine
    result = Verification(machine)
    replica = stores.history().at(machine, first)
    try:
        for block in stores.log.read(machine, first + 1):
            total = folded_total(replica.entries, replica.head.total, block)
            replica.advance(block)
            if block.body.origin is not None:
                total = sum_of(replica.entries.items())
            if total != block.total:
                result.find(f"block {block.number}: its changes lead to {digest_of(total)}")
            result.blocks += 1
            result.actions += block.actions
    except Corrupted as error:
        result.find(str(error))
        return result
    rows = {row.key: row.value for row in stores.table.scan(machine) if row.value is not None}
    result.keys, result.digest = len(rows), replica.head.digest
    result.find(
        *(
            f"key {key!r} of the state table is not as its blocks left it"
            for key in sorted(rows.keys() | replica.entries.keys())
            if rows.get(key) != replica.entries.get(key)
        )
    )
    return result


@dataclass(frozen=True, slots=True)
class _AsWritten:
    """A state table whose rows of one snapshot bear the blocks that wrote them.

    Attributes:
        table: The table.
        number: The block of the snapshot that it was filled from.
        writers: Which block up to that one wrote which key last.
    """

    table: StateTable
    number: int
    writers: dict[str, int]

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        """See `StateTable.scan`."""
        for row in self.table.scan(machine, prefix):
            if row.block == self.number:
                yield replace(row, block=self.writers.get(row.key, row.block))
            else:
                yield row

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)
