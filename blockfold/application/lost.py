"""How lost blocks are noticed: by the archive, or by what the state table holds."""

from __future__ import annotations

from blockfold.domain.errors import Corrupted
from blockfold.ports import Archive, BlockLog

GONE = 999_999_999_999
"""What ``flushed`` says of a machine that is being deleted: above every block."""

REBUILDING = 999_999_999_998
"""What ``flushed`` says of a machine that is being rebuilt: above every block, so that an executor
refuses it, whatever is back already. Rows of lost blocks may still be there then."""


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


def check_reaches(machine: str, head: int, flushed: int) -> None:
    """Make sure that the log reaches what the state table holds.

    Args:
        machine: The machine's id.
        head: The number of its newest block, read after ``flushed``.
        flushed: The block that its table holds; above all while it is rebuilt or deleted.

    Raises:
        Corrupted: It ends before.
    """
    if flushed == GONE:
        raise Corrupted(
            f"machine {machine!r} is being deleted", hint="`blockfold delete` finishes it"
        )
    if flushed == REBUILDING:
        raise Corrupted(
            f"machine {machine!r} is being rebuilt", hint="`blockfold rebuild` finishes it"
        )
    if head < flushed:
        raise Corrupted(
            f"the log of machine {machine!r} ends at block {head}, but its state table "
            f"holds block {flushed}",
            hint="blocks were lost: `blockfold rebuild` puts back what is archived",
        )
