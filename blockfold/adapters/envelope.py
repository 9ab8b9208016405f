"""What stands around a message's actions in SQS: message attributes that raw senders leave out.

=======================  =========================================================================
``blockfold.producer``   ``<producer id>/<count>``: an idempotent producer's id (1 to 64 letters,
                         digits, ``-`` and ``_``) and its own number for this message: 1, 2, 3 …
                         for each machine
``blockfold.encoding``   ``zstd``: the body is Base64 of the actions' JSON, compressed by zstd.
                         A message of SQS is text, so it cannot be the bytes themselves
=======================  =========================================================================
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import zstandard

PRODUCER = "blockfold.producer"
ENCODING = "blockfold.encoding"
ZSTD = "zstd"

MAX_UNPACKED_BYTES = 1024 * 1024
"""What a compressed body may unpack to: no more than a message may hold that is not compressed. So
what a block can grow to, and how long a body can take to parse, are the same for both. Larger ones
are recorded as malformed, unread."""

WORTH_BYTES = 1024
"""Bodies below this are sent as they are: nothing that SQS bills would get less."""

LEVEL = 3

_NAMED = re.compile(r"([A-Za-z0-9_-]{1,64})/([1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True)
class Opened:
    """A message out of its envelope.

    Attributes:
        body: The actions' JSON; the body as it came if that could not be unpacked.
        producer: See `blockfold.domain.action.Message`.
        count: Likewise.
        spoiled: Likewise.
    """

    body: str
    producer: str = ""
    count: int = 0
    spoiled: str = ""


def seal(body: str) -> tuple[str, dict[str, str]]:
    """A body as it is sent, with its encoding attribute: compressed where that makes it smaller."""
    raw = body.encode()
    if len(raw) >= WORTH_BYTES:
        packed = b64encode(zstandard.ZstdCompressor(level=LEVEL).compress(raw))
        if len(packed) < len(raw):
            return packed.decode(), {ENCODING: ZSTD}
    return body, {}


def named(producer: str, count: int) -> dict[str, str]:
    """The attribute that says whose message it is."""
    return {PRODUCER: f"{producer}/{count}"}


def unseal(body: str, attributes: Mapping[str, str]) -> Opened:
    """A message out of its envelope; whatever is wrong with that is told in ``spoiled``."""
    producer, count = "", 0
    if (name := attributes.get(PRODUCER)) is not None:
        found = _NAMED.fullmatch(name)
        if found is None:
            return Opened(body, spoiled=f"the attribute {PRODUCER} is no <id>/<count>: {name[:80]}")
        producer, count = found[1], int(found[2])
    encoding = attributes.get(ENCODING)
    if encoding is None:
        return Opened(body, producer, count)
    if encoding != ZSTD:
        spoiled = f"the attribute {ENCODING} is {encoding[:80]!r}, this version knows {ZSTD!r}"
        return Opened(body, producer, count, spoiled)
    try:
        return Opened(_unpacked(body), producer, count)
    except (ValueError, zstandard.ZstdError) as error:
        return Opened(body, producer, count, f"the body does not unpack: {error}")


def _unpacked(body: str) -> str:
    """The text in a compressed body.

    Raises:
        ValueError, zstandard.ZstdError: There is none.
    """
    try:
        packed = b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is no Base64: {error}") from None
    size = zstandard.frame_content_size(packed)
    if not 0 <= size <= MAX_UNPACKED_BYTES:
        raise ValueError(f"it claims other than 0 to {MAX_UNPACKED_BYTES:,} bytes")
    return zstandard.ZstdDecompressor().decompress(packed).decode()
