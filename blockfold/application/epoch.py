"""Which epoch new blocks are of: one rule for all who append."""

from __future__ import annotations

from msgspec.structs import replace

from blockfold.domain.block import Head
from blockfold.ports import MachineRecord


def in_epoch(head: Head, record: MachineRecord | None) -> Head:
    """The head as new blocks build on it: in its own epoch, or in the record's if that is higher.

    A rebuild raises the record's epoch; blocks that were there before keep theirs.
    """
    if record is None or record.epoch <= head.epoch:
        return head
    return replace(head, epoch=record.epoch)
