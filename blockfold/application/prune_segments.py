"""Segments of the archive that others made superfluous, and deleting them.

A merge may have died before anybody read back what it wrote. So a segment goes only after all of
its blocks were read just now from segments that stay.

What happens if the process dies: what was deleted was held by others that were read; the next one
reads and deletes the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from blockfold.domain.errors import BlockfoldError
from blockfold.domain.segments import Piece, Segment, cover
from blockfold.ports import Archive

AT_ONCE = 1_000
"""Segments that one request deletes: the most that S3 takes."""


def drop(
    archive: Archive, machine: str, doomed: Sequence[Segment], in_time: Callable[[], bool]
) -> list[Segment]:
    """Delete segments, as many as there is time for; which.

    Those that stay are laid beside each other once, and each is read at most once, right before
    the first that it makes superfluous. One whose blocks they do not hold stays as well.

    Args:
        archive: The archive.
        machine: The machine's id.
        doomed: Its superseded segments, by first block.
        in_time: Whether there is time to read another one.

    Raises:
        Corrupted: A segment that should stay is damaged: those that it should make superfluous
            stay, and all behind them.
    """
    if not doomed:
        return []
    last = max(segment.last for segment in doomed)
    without = {segment.key for segment in doomed}
    pieces = [*cover(archive.segments(machine), doomed[0].first, last, without=without)]
    ends = [piece.last for piece in pieces]
    read: set[Segment] = set()
    gone: list[Segment] = []
    proven: list[Segment] = []

    def delete() -> None:
        if proven:
            archive.delete(proven)
            gone.extend(proven)
            proven.clear()

    try:
        for segment in doomed:
            holders = _holders(segment, pieces, ends)
            if holders is None:
                continue
            for holder in holders:
                if holder in read:
                    continue
                if not in_time():
                    delete()
                    return gone
                for _ in archive.read(holder):
                    pass
                read.add(holder)
            proven.append(segment)
            if len(proven) == AT_ONCE:
                delete()
    except BlockfoldError:
        delete()
        raise
    delete()
    return gone


def _holders(
    segment: Segment, pieces: Sequence[Piece], ends: Sequence[int]
) -> list[Segment] | None:
    """The segments that hold all blocks of another one between them; None if some are in none."""
    holders: list[Segment] = []
    held = 0
    for at in range(bisect_left(ends, segment.first), len(pieces)):
        piece = pieces[at]
        if piece.first > segment.last:
            break
        if piece.segment.epoch == segment.epoch:  # another one has other blocks of these numbers
            held += min(piece.last, segment.last) - max(piece.first, segment.first) + 1
            holders.append(piece.segment)
    return holders if held == segment.blocks else None
