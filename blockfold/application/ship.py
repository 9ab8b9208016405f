"""Ship committed blocks to the archive, as the stream brings them.

What happens if the process dies: the stream delivers the same blocks again, maybe with others.
Segments that were stored are found, or others are stored beside them that overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.segments import Segment, runs
from blockfold.ports import Archive

LANES = 8
"""Segments that are stored at once when a batch has more of them: one of many machines."""


@dataclass(slots=True)
class Shipment:
    """What became of blocks.

    Attributes:
        segments: The segments that hold them.
        failed: Those that may not be archived, with why.
    """

    segments: list[Segment] = field(default_factory=list)
    failed: list[tuple[Block, BlockfoldError]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shipper:
    """Writes blocks as segments, one for each machine; reads nothing.

    Attributes:
        archive: The archive.
    """

    archive: Archive

    def ship(self, blocks: Iterable[Block]) -> Shipment:
        """Store blocks of any machines. One machine's trouble does not keep the others back."""
        shipment = Shipment()
        found = runs(blocks)
        if len(found) <= LANES:
            written = map(self._write, found)
            self._note(shipment, found, written)
        else:
            with ThreadPoolExecutor(LANES) as lanes:
                self._note(shipment, found, lanes.map(self._write, found))
        return shipment

    def _write(self, run: list[Block]) -> list[Segment] | BlockfoldError:
        try:
            return self.archive.write(run)
        except BlockfoldError as error:
            return error

    def _note(
        self,
        shipment: Shipment,
        found: list[list[Block]],
        written: Iterable[list[Segment] | BlockfoldError],
    ) -> None:
        for run, result in zip(found, written, strict=True):
            if isinstance(result, BlockfoldError):
                shipment.failed += [(block, result) for block in run]
            else:
                shipment.segments += result
