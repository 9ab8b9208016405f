"""Bodies of blocks as they are stored: zstd frames, the small ones with a dictionary.

A block of ten actions is mostly what every block says: names of fields, an ARN, ids. The
dictionary says it once for all, so that such a block fits one write unit of 1 KB. A frame names
the dictionary that it needs by its id; frames without one read as they always did. Dictionaries
are files beside this module, and none is ever changed: ``python -m bench.dictionary`` made them.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import zstandard

from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted, LimitExceeded

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""What a compressed body may unpack to: more is not stored, and taken for damage when read. The
domain's limits keep blocks well below it (`blockfold.domain.limits`)."""

SMALL_BYTES = 8 * 1024
"""Bodies up to this are packed with the dictionary. Of larger ones it would save a hundredth."""

SMALL_LEVEL = 6
"""Twice the CPU of level 3, 25 µs for ten actions, and 5 % of the bytes of a small body."""

LEVEL = 3

NEWEST = 45057
"""Id of the dictionary that is written with. Ids from 32,768 on are for private use (RFC 8878)."""

DICTIONARIES = {45057: "bodies-1.zdict"}
"""File of each dictionary that is read with."""


def pack(payload: Canonical, name: str = "a block", *, dictionary: bool = True) -> bytes:
    """A body as it is stored.

    Args:
        payload: The body.
        name: Whose it is, for the error.
        dictionary: Whether a small one may need the dictionary. Objects never do.

    Raises:
        LimitExceeded: It could never be read again.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise LimitExceeded(
            f"{name} has a body of {len(payload):,} bytes, {MAX_PAYLOAD_BYTES:,} are the most "
            "that can be stored",
            hint="make smaller blocks: lower Limits.payload",
        )
    if len(payload) > SMALL_BYTES or not dictionary:
        return zstandard.ZstdCompressor(level=LEVEL, write_checksum=False).compress(payload)
    return _small_compressor().compress(payload)


def unpack(packed: bytes, name: str) -> Canonical:
    """A body from what is stored of it.

    Raises:
        Corrupted: It does not unpack, claims to be too large, or needs an unknown dictionary.
    """
    try:
        frame = zstandard.get_frame_parameters(packed)
        if zstandard.frame_content_size(packed) > MAX_PAYLOAD_BYTES:
            raise Corrupted(f"{name} claims a body of more than {MAX_PAYLOAD_BYTES:,} bytes")
        if frame.dict_id == 0:
            return zstandard.ZstdDecompressor().decompress(packed)
        if frame.dict_id not in DICTIONARIES:
            raise Corrupted(
                f"{name} is packed with dictionary {frame.dict_id}, this version knows "
                f"{', '.join(map(str, DICTIONARIES))}",
                hint="if a newer version wrote it, use that one",
            )
        dictionary = _dictionary(frame.dict_id)
        return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(packed)
    except zstandard.ZstdError as error:
        raise Corrupted(f"{name} does not unpack: {error}") from error


@cache
def _dictionary(id_: int) -> zstandard.ZstdCompressionDict:
    """A dictionary, made ready for packing."""
    data = Path(__file__).with_name(DICTIONARIES[id_]).read_bytes()
    dictionary = zstandard.ZstdCompressionDict(data)
    dictionary.precompute_compress(level=SMALL_LEVEL)
    return dictionary


_own = threading.local()


def _small_compressor() -> zstandard.ZstdCompressor:
    """What packs small bodies: one for each thread, since no two may use one at once."""
    found: zstandard.ZstdCompressor | None = getattr(_own, "compressor", None)
    if found is None:
        found = _own.compressor = zstandard.ZstdCompressor(
            level=SMALL_LEVEL, write_checksum=False, dict_data=_dictionary(NEWEST)
        )
    return found
