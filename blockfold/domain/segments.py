"""Segments: runs of archived blocks, named so that a listing alone says what they hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A file of consecutive blocks.

    Attributes:
        machine: The machine's id.
        first: Its first block.
        last: Its last block.
        epoch: The epoch of all its blocks.
        hash: Hash of its last block.
        bytes: The object's size; 0 if unknown.
        modified: When it was stored, milliseconds since 1970 UTC; 0 if unknown.
    """

    machine: str
    first: int
    last: int
    epoch: int
    hash: str
    bytes: int = 0
    modified: int = 0
