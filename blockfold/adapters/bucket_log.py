"""The log that a bucket has by itself: what is left when the tables are lost."""

from __future__ import annotations

from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog
from blockfold.domain.block import Block
from blockfold.ports import Archive


def bucket_log(head: Block, archive: Archive) -> ArchivedBlockLog:
    """All blocks of a machine up to one, from the archive alone.

    Args:
        head: The last of them.
        archive: Where the others stand.
    """
    newest = MemoryBlockLog()
    newest.append(head)
    return ArchivedBlockLog(newest, archive)
