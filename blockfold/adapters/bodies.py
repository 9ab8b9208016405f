"""Bodies of large blocks in an object store, by themselves: to check them and to put them back.

Needs get of objects below ``machines/``, and put to store one.
"""

from __future__ import annotations

from blockfold.adapters.archive import ZSTD_LEVEL
from blockfold.adapters.dynamodb.packing import pack, unpack
from blockfold.adapters.packed_lines import LinePacker
from blockfold.domain.block import Block, payload_hash
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import body_key, parse_body_key
from blockfold.domain.segments import Segment
from blockfold.ports import ObjectStore


class ObjectBodies:
    """`Bodies` in an object store.

    Args:
        objects: Where they stand.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def check(self, key: str) -> None:
        """See `Bodies.check`."""
        parsed, packed = parse_body_key(key), self._objects.get(key)
        if packed is None:
            raise Corrupted(f"{key} is missing")
        if parsed is None or payload_hash(unpack(packed, key)) != parsed[1]:
            raise Corrupted(f"{key} is not the body that it is named by")

    def store(self, block: Block) -> None:
        """See `Bodies.store`."""
        key = body_key(block.machine, block.number, block.header.body)
        self._objects.replace(key, pack(block.payload, key, dictionary=False))

    def mark(self, segment: Segment) -> None:
        """See `Bodies.mark`."""
        self._objects.replace(segment.key, LinePacker(ZSTD_LEVEL).close())
