"""Export: the state at a block as one stream in key order, proven by the block's digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blockfold.application.travel import Traveller
from blockfold.domain import digest
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted


@dataclass(frozen=True, slots=True)
class Export:
    """A state on its way out.

    Attributes:
        head: The block that it is of; ``head.keys`` says how many entries will come.
        entries: The entries in key order, to be read once. Whoever reads them to the end without
            an error has read exactly the block's state; before that nothing is proven.
    """

    head: Head
    entries: Iterator[tuple[str, Canonical]]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Streams states. What changed since the nearest snapshot is held in memory, no more.

    Attributes:
        traveller: Reads the past.
    """

    traveller: Traveller

    def open(self, machine: str, number: int) -> Export:
        """The state right after a block.

        Args:
            machine: The machine's id.
            number: The block, which must exist; 0 for the empty state before the first.

        Raises:
            NotFound: The log ends before it.
            Corrupted: Log or snapshots are damaged; reading the entries may raise it, too.
        """
        head, entries = self.traveller.entries(machine, number)
        return Export(head, proven(head, entries))


def proven(head: Head, entries: Iterator[tuple[str, Canonical]]) -> Iterator[tuple[str, Canonical]]:
    """Pass entries on, and at the end hold them against a block's digest.

    Raises:
        Corrupted: They are not its state.
    """
    total, rows = digest.EMPTY, 0
    for key, value in entries:
        total = digest.replace(total, key, None, value)
        rows += 1
        yield key, value
    if (rows, total) != (head.keys, head.total):
        raise Corrupted(
            f"the state read for block {head.number} of machine {head.machine!r} has {rows:,} keys "
            f"and digest {digest.digest_of(total)}; the block says {head.keys:,} and {head.digest}",
            hint="`blockfold verify` names what is damaged",
        )
