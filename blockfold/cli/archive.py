"""``blockfold archive``: a machine's blocks outside its table."""

from __future__ import annotations

from typing import Any

from blockfold.cli.output import (
    AsJson,
    MachineId,
    StackName,
    clock_time,
    counted,
    moment,
    print_json,
    print_table,
    say,
    short,
)
from blockfold.client import connect
from blockfold.domain.segments import Piece, cover, superseded


def archive(machine: MachineId, stack: StackName = None, json: AsJson = False) -> None:
    """Archive a machine's blocks up to its head now, and list the segments.

    The stack does so by itself some seconds after each block. What was missing or damaged in the
    archive is healed from the table.
    """
    target = connect(stack)
    answer: dict[str, Any] = target.call(
        "DumperFunctionName", {"machine": machine, "command": "archive"}
    )
    listing = target.adapters.archive.segments(machine)
    pieces = list(cover(listing, 1))
    if json:
        print_json({**answer, "segments": [_as_json(piece) for piece in pieces]})
        return
    print_table(
        ("first#", "last#", "epoch#", "bytes#", "stored#", "hash#"),
        (
            (
                piece.first,
                piece.last,
                piece.segment.epoch,
                f"{piece.segment.bytes:,}",
                clock_time(piece.segment.modified),
                short(piece.segment.hash),
            )
            for piece in pieces
        ),
    )
    healed = answer["healed"]
    old = superseded(listing, answer["archived"])
    say(
        f"{machine}: blocks up to {answer['archived']:,} are archived"
        + (f", {counted(healed, 'block')} healed" if healed else "")
        + f"; {counted(len(pieces), 'segment')} in use, {len(old):,} superseded"
    )


def _as_json(piece: Piece) -> dict[str, object]:
    segment = piece.segment
    return {
        "first": piece.first,
        "last": piece.last,
        "epoch": segment.epoch,
        "hash": segment.hash,
        "bytes": segment.bytes,
        "stored": moment(segment.modified),
        "key": segment.key,
    }
