"""What a restore takes: counted key by key, priced, and timed by what was measured.

Prices are those of `blockfold.domain.prices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from blockfold.domain import prices
from blockfold.domain.canonical import Canonical, decode, stored_size
from blockfold.domain.units import READ_BYTES, write_units
from blockfold.ports import Write

GIGABYTES = 1_769 / 1_024
"""Memory of the function, which has a whole core at that."""

BATCH = 25
"""Statements of a request (BatchExecuteStatement)."""

PAGE_BYTES = 1024 * 1024
"""What a Query answers at once."""

WRU_PER_SECOND = 1_000
"""What DynamoDB takes below one partition key before it has split it for its heat."""

KEYS_PER_SECOND = 20_000
"""Keys of both sides that one core reads and compares in a second. Measured: 18,000 rows of the
table, as boto3 parses them, and 90,000 entries of a snapshot."""

ITEM_BYTES = len("machine") + len("key") + len("block") + len("value") + 3
"""Attribute names of an item of the State table, and the block number (three bytes up to 9,999)."""

ENTRY_BYTES = 120
"""What an entry is taken for where nothing was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a restore takes.

    Attributes:
        writes: Keys to store.
        deletes: Keys to delete.
        bytes: Keys and values to store, as JSON.
        requests: Batches of writes, and pages of reads.
        write_units: DynamoDB's write units: each item's size, the larger of old and new, in
            started KB.
        read_units: DynamoDB's read units: the table of the machine, in started 4 KB a page.
        seconds: How long one function takes.
        dollars: What DynamoDB and Lambda charge.
        exact: Whether all was counted; else it is an upper bound.
    """

    writes: int
    deletes: int
    bytes: int
    requests: int
    write_units: int
    read_units: int
    seconds: float
    dollars: float
    exact: bool

    @classmethod
    def at_most(cls, rows: int, present: int) -> Estimate:
        """An upper bound for a state of so many entries over one of so many others."""
        tally = Tally("", rows=rows, present=present)
        return tally.estimate(exact=False)


@dataclass(slots=True)
class _Sums:
    wanted: int = 0
    there: int = 0
    writes: int = 0
    deletes: int = 0
    bytes: int = 0
    write_units: int = 0
    table_bytes: int = 0


class Tally:
    """Counts what a comparison finds.

    Args:
        machine: The machine that gets the state: its id stands in each item.
        rows: Entries of the wanted state.
        present: Entries of the state that is there.
    """

    def __init__(self, machine: str, *, rows: int, present: int) -> None:
        self._fixed = ITEM_BYTES + len(machine.encode())
        self._rows = rows
        self._present = present
        self._sums = _Sums()
        self._newest: tuple[str, Canonical] = ("", b"")

    def want(self, wanted: Iterator[tuple[str, Canonical]]) -> Iterator[tuple[str, Canonical]]:
        """Pass the wanted entries on, counted."""
        for entry in wanted:
            self._sums.wanted += 1
            yield entry

    def watch(self, present: Iterator[tuple[str, Canonical]]) -> Iterator[tuple[str, Canonical]]:
        """Pass the present entries on, counted; `add` may ask for the newest."""
        for entry in present:
            self._sums.there += 1
            self._sums.table_bytes += self._fixed + len(entry[0]) + len(entry[1])
            self._newest = entry
            yield entry

    def add(self, key: str, write: Write | None) -> None:
        """Count a key that was compared."""
        if write is None:
            return
        sums = self._sums
        old = self._newest[1] if self._newest[0] == key else None
        size = max(self._item(key, old), self._item(key, write.value))
        sums.write_units += write_units(size)
        if write.value is None:
            sums.deletes += 1
        else:
            sums.writes += 1
            sums.bytes += len(key.encode()) + len(write.value)

    def estimate(self, *, exact: bool) -> Estimate:
        """What was counted; for what was not, as much as there can be of it."""
        sums = self._sums
        if not exact:
            sums = self._extended()
        writes = sums.writes + sums.deletes
        pages = -(-sums.table_bytes // PAGE_BYTES)
        read_units = -(-sums.table_bytes // READ_BYTES)
        seconds = sums.write_units / WRU_PER_SECOND + (sums.wanted + sums.there) / KEYS_PER_SECOND
        return Estimate(
            writes=sums.writes,
            deletes=sums.deletes,
            bytes=sums.bytes,
            requests=-(-writes // BATCH) + max(pages, 1),
            write_units=sums.write_units,
            read_units=read_units,
            seconds=round(seconds, 1),
            dollars=round(
                sums.write_units * prices.WRU
                + read_units * prices.RRU
                + seconds * GIGABYTES * prices.LAMBDA_GB_SECOND,
                6,
            ),
            exact=exact,
        )

    def _extended(self) -> _Sums:
        """The sums with every key that was not compared as one to write, of the usual size."""
        sums = replace(self._sums)
        wanted, there = self._rows - sums.wanted, self._present - sums.there
        each = sums.bytes // sums.writes if sums.writes else ENTRY_BYTES
        sums.writes += wanted
        sums.deletes += there
        sums.bytes += wanted * each
        sums.write_units += (wanted + there) * write_units(each + self._fixed)
        sums.table_bytes += there * (each + self._fixed)
        sums.wanted, sums.there = self._rows, self._present
        return sums

    def _item(self, key: str, value: Canonical | None) -> int:
        content = 0 if value is None else stored_size(decode(value))
        return self._fixed + len(key.encode()) + content
