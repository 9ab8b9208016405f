"""A machine without blocks is new, unless its archive says that they were lost."""

from __future__ import annotations

from blockfold.domain.errors import Corrupted
from blockfold.ports import Archive, BlockLog


def check_not_lost(archive: Archive | None, log: BlockLog, machine: str) -> None:
    """Make sure that a machine without blocks in its table may be begun.

    Args:
        archive: The archive; None if there is none to ask.
        log: The table: someone else may have begun the machine since the caller looked.
        machine: The machine's id.

    Raises:
        Corrupted: Blocks of it are archived: its table was lost.
    """
    if archive is not None and archive.segments(machine) and log.head(machine) is None:
        raise Corrupted(
            f"machine {machine!r} has no blocks in its table, but archived ones: they were lost",
            hint="`blockfold rebuild` puts them back; actions wait in the queue until then",
        )
