"""Ship committed blocks to the archive, as the stream brings them.

What happens if the process dies: the stream delivers the same blocks again, maybe with others.
Segments that were stored are found, or others are stored beside them that overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.segments import Segment, runs
from blockfold.ports import Archive


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
        for run in runs(blocks):
            try:
                shipment.segments += self.archive.write(run)
            except BlockfoldError as error:
                shipment.failed += [(block, error) for block in run]
        return shipment
