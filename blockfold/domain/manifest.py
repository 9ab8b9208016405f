"""Snapshots: the state at one block as a manifest and the immutable runs that it names.

The format is written down in ``docs/snapshot-format.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal

import msgspec

from blockfold.domain import digest
from blockfold.domain.canonical import Canonical, encode_raw
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key

FORMAT = 1
"""Version of the manifest and run format."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A sorted, compressed file of entries, named by its content.

    Attributes:
        key: Its object key.
        sha256: SHA-256 of the object's bytes.
        rows: Lines in it.
        bytes: The object's size.
        first: Its first key.
        last: Its last key.
        generation: A key stands in each generation at most once, and counts where the generation
            is highest. The files of one generation follow each other in key order.
    """

    key: str
    sha256: str
    rows: int
    bytes: int
    first: str
    last: str
    generation: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a snapshot.

    Attributes:
        machine: The machine's id.
        number: The block.
        hash: The block's hash.
        digest: The state digest at the block.
        sum: What the digest is the hash of, 512 hex digits (`blockfold.domain.digest`).
        rows: Entries of the state.
        runs: Where they stand: generation by generation, the lowest first, in key order.
        time: The block's time, milliseconds since 1970 UTC.
        code: Name and version of the machine class that made the block.
        epoch: The block's epoch.
        ordinal: Actions that the machine had up to and with this block.
        format: `FORMAT`.
    """

    machine: str
    number: int
    hash: str
    digest: str
    sum: str
    rows: int
    runs: tuple[Run, ...]
    time: int
    code: str
    epoch: int
    ordinal: int
    format: int = FORMAT

    @property
    def total(self) -> int:
        """The state's sum as a number."""
        return int(self.sum, 16)

    @property
    def key(self) -> str:
        """Its object key."""
        return manifest_key(self.machine, self.number)

    @property
    def generations(self) -> list[list[Run]]:
        """The runs by generation, the lowest first."""
        return [list(runs) for _, runs in groupby(self.runs, key=lambda run: run.generation)]

    @property
    def size(self) -> int:
        """Bytes of all runs."""
        return sum(run.bytes for run in self.runs)

    def to_bytes(self) -> bytes:
        """The manifest as it is stored: one line of JSON."""
        return encode_raw(self) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Manifest:
        """Read a stored manifest.

        Args:
            data: Its bytes.
            name: Its object key, for the error.

        Raises:
            Corrupted: It is none, or of an unknown format.
        """
        try:
            version = msgspec.json.decode(data, type=_Version).format
            if version != FORMAT:
                raise Corrupted(
                    f"{name} has snapshot format {version}, this version reads {FORMAT}",
                    hint="if a newer version of blockfold wrote it, use that one",
                )
            manifest = msgspec.json.decode(data, type=cls)
            consistent = digest.digest_of(manifest.total) == manifest.digest
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            raise Corrupted(f"{name} is no snapshot manifest: {error}") from error
        if not consistent:
            raise Corrupted(f"{name}: its digest does not belong to its sum")
        return manifest


OriginKind = Literal["restore", "fork", "import"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where the state of a restore, fork or import block comes from: state := that manifest.

    Attributes:
        kind: ``restore`` for an older block of the same machine, ``fork`` for another machine's,
            ``import`` for a state that came from outside.
        machine: The machine that the state is taken from; empty in an import.
        number: The block that it is taken from; 0 in an import.
        hash: That block's hash; in an import, that of the block 0 which the manifest is of.
        digest: The state digest at that block.
        manifest: Object key of the manifest that pins it.
    """

    kind: OriginKind
    machine: str
    number: int
    hash: str
    digest: str
    manifest: str

    @property
    def text(self) -> str:
        """In words: ``restore of m 3``."""
        return (
            self.kind if self.kind == "import" else f"{self.kind} of {self.machine} {self.number}"
        )


class _Version(msgspec.Struct):
    format: int


class _Line(msgspec.Struct, omit_defaults=True):
    key: str
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    deleted: bool = False


_line_decoder = msgspec.json.Decoder(_Line)
_line_encoder = msgspec.json.Encoder()


def to_line(key: str, value: Canonical | None) -> bytes:
    """An entry as a line of a run: ``{"key":…,"value":…}`` or ``{"key":…,"deleted":true}``."""
    line = _Line(key, deleted=True) if value is None else _Line(key, msgspec.Raw(value))
    return _line_encoder.encode(line) + b"\n"


def from_lines(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, Canonical | None]]:
    """Entries of a run in key order; None stands for deleted.

    Raises:
        Corrupted: A line is no entry, or the keys are not in order.
    """
    before: str | None = None
    for data in lines:
        try:
            line = _line_decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Corrupted(f"{name} holds a line that is no entry: {error}") from error
        if before is not None and line.key <= before:
            raise Corrupted(f"{name} is not sorted at key {line.key!r}")
        before = line.key
        if isinstance(line.value, msgspec.UnsetType) != line.deleted:
            raise Corrupted(f"{name}: key {line.key!r} needs a value or deleted, not both")
        yield line.key, None if isinstance(line.value, msgspec.UnsetType) else bytes(line.value)
