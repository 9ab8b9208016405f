"""A state at one block as a value: what recorders keep and give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from blockfold.domain import digest
from blockfold.domain.block import Block, Header, payload_hash
from blockfold.domain.canonical import Canonical, Json, decode, encode_raw
from blockfold.domain.errors import Corrupted

FORMAT = 1
"""Version of what `Snapshot.to_bytes` gives."""


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    hash: str
    header: Header
    body: msgspec.Raw
    sum: str
    state: dict[str, msgspec.Raw]
    format: int = FORMAT


class _Version(msgspec.Struct):
    format: int


@dataclass(frozen=True)
class Snapshot:
    """The state right after a block, with the block itself: all that a machine needs to go on.

    Attributes:
        block: The block.
        entries: Key → value as canonical bytes, in key order.
    """

    block: Block
    entries: Mapping[str, Canonical]

    def __repr__(self) -> str:
        """What it is of."""
        return f"<Snapshot of {self.machine} at block {self.number}: {len(self.entries)} keys>"

    @property
    def machine(self) -> str:
        """The machine's id."""
        return self.block.machine

    @property
    def number(self) -> int:
        """The block's number, which is the snapshot's id."""
        return self.block.number

    @property
    def digest(self) -> str:
        """The state digest."""
        return self.block.header.digest

    @cached_property
    def state(self) -> dict[str, Json]:
        """The state with decoded values, in key order."""
        return {key: decode(value) for key, value in self.entries.items()}

    def to_bytes(self) -> bytes:
        """The snapshot as one line of JSON, for recorders that have no format of their own."""
        stored = _Stored(
            hash=self.block.hash,
            header=self.block.header,
            body=msgspec.Raw(self.block.payload),
            sum=f"{self.block.total:0512x}",
            state={key: msgspec.Raw(value) for key, value in self.entries.items()},
        )
        return encode_raw(stored) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the snapshot") -> Snapshot:
        """Read what `to_bytes` gave; every hash is checked.

        Args:
            data: The bytes.
            name: What they are called in errors.

        Raises:
            Corrupted: They are damaged, or of an unknown format.
        """
        try:
            version = msgspec.json.decode(data, type=_Version).format
            if version != FORMAT:
                raise Corrupted(
                    f"{name} has format {version}, this version reads {FORMAT}",
                    hint="if a newer version of blockfold wrote it, use that one",
                )
            stored = msgspec.json.decode(data, type=_Stored)
            total = int(stored.sum, 16)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Corrupted(f"{name} is no snapshot: {error}") from error
        block = Block(stored.header, bytes(stored.body), total)
        if block.hash != stored.hash:
            raise Corrupted(f"{name}: its header is not that of block {stored.hash}")
        entries = {key: bytes(stored.state[key]) for key in sorted(stored.state)}
        return cls(block, entries).checked(name)

    def checked(self, name: str = "the snapshot") -> Snapshot:
        """The snapshot itself, if block and state belong together.

        Raises:
            Corrupted: They do not.
        """
        header = self.block.header
        if payload_hash(self.block.payload) != header.body:
            raise Corrupted(f"{name}: the body of its block is another than its header says")
        found = digest.digest_of(digest.sum_of(self.entries.items()))
        if not found == header.digest == digest.digest_of(self.block.total):
            raise Corrupted(f"{name}: its state has digest {found}, its block says {header.digest}")
        return self
