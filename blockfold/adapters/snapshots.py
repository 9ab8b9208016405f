"""Snapshots over any object store: content-addressed runs, and manifests written last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO

import msgspec
import zstandard

from blockfold.domain import digest
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key, run_key, snapshots_prefix
from blockfold.domain.manifest import Manifest, Run, from_lines, to_lines
from blockfold.ports import ObjectStore

PART_BYTES = 8 * 1024 * 1024
"""Uncompressed bytes after which a run is closed: what a reader holds in memory at once."""

MAX_PART_BYTES = 64 * 1024 * 1024
"""What a run may unpack to; more is taken for damage."""

ZSTD_LEVEL = 6


class ObjectSnapshots:
    """A `SnapshotStore` in an object store.

    Args:
        objects: Where runs and manifests stand.
        part: Uncompressed bytes after which a run is closed.
    """

    def __init__(self, objects: ObjectStore, *, part: int = PART_BYTES) -> None:
        self._objects = objects
        self._part = part

    def save(self, block: Block, entries: Iterable[tuple[str, Canonical]]) -> Manifest:
        """See `SnapshotStore.save`."""
        total = _Total()
        runs = tuple(
            self._save_run(block.machine, part) for part in self._parts(total.watch(entries))
        )
        if total.value != block.total:
            raise Corrupted(
                f"the state folded for block {block.number} of machine {block.machine!r} has "
                f"digest {digest.digest_of(total.value)}, the block says {block.header.digest}"
            )
        manifest = Manifest(
            machine=block.machine,
            number=block.number,
            hash=block.hash,
            digest=block.header.digest,
            sum=digest.to_bytes(block.total).hex(),
            rows=total.rows,
            runs=runs,
            time=block.header.time,
            code=block.header.code,
            epoch=block.header.epoch,
            ordinal=block.header.ordinal + block.actions,
        )
        key = manifest_key(block.machine, block.number)
        if self._objects.put_new(key, manifest.to_bytes()):
            return manifest
        there = self.open(key)
        if msgspec.structs.replace(there, runs=runs) != manifest:
            raise Corrupted(f"{key} is a snapshot of another block {block.number} than the log's")
        return there

    def get(self, machine: str, number: int) -> Manifest | None:
        """See `SnapshotStore.get`."""
        key = manifest_key(machine, number)
        data = self._objects.get(key)
        return None if data is None else self._manifest(data, key)

    def open(self, key: str) -> Manifest:
        """See `SnapshotStore.open`."""
        data = self._objects.get(key)
        if data is None:
            raise Corrupted(
                f"the snapshot {key} is missing",
                hint="dump that block again: the log still has what it needs",
            )
        return self._manifest(data, key)

    def numbers(self, machine: str) -> list[int]:
        """See `SnapshotStore.numbers`."""
        names = (key.rpartition("/")[2] for key in self._objects.list(snapshots_prefix(machine)))
        return [
            int(stem)
            for stem, _, kind in (name.partition(".") for name in names)
            if kind == "json" and stem.isdigit()
        ]

    def entries(self, manifest: Manifest) -> Iterator[tuple[str, Canonical]]:
        """See `SnapshotStore.entries`. Holds one run in memory at a time."""
        total = digest.EMPTY
        rows = 0
        before: str | None = None
        for run in manifest.runs:
            for key, value in self._read_run(manifest, run):
                if before is not None and key <= before:
                    raise Corrupted(f"{manifest.key} names runs that overlap at key {key!r}")
                before = key
                rows += 1
                total = digest.replace(total, key, None, value)
                yield key, value
        if (rows, total) != (manifest.rows, manifest.total):
            raise Corrupted(
                f"the runs of {manifest.key} do not have the rows and the digest that it says"
            )

    def _manifest(self, data: bytes, key: str) -> Manifest:
        manifest = Manifest.from_bytes(data, key)
        if manifest_key(manifest.machine, manifest.number) != key:
            raise Corrupted(
                f"{key} holds the snapshot of block {manifest.number} of machine "
                f"{manifest.machine!r}"
            )
        return manifest

    def _parts(
        self, entries: Iterable[tuple[str, Canonical]]
    ) -> Iterator[list[tuple[str, Canonical]]]:
        part: list[tuple[str, Canonical]] = []
        size = 0
        for key, value in entries:
            part.append((key, value))
            size += len(key) + len(value)
            if size >= self._part:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _save_run(self, machine: str, part: list[tuple[str, Canonical]]) -> Run:
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        packed = compressor.compress(b"".join(to_lines(part)))
        run = _run(machine, packed, part)
        self._objects.put_new(run.key, packed)
        return run

    def _read_run(self, manifest: Manifest, run: Run) -> list[tuple[str, Canonical]]:
        name = f"the run {run.key} of {manifest.key}"
        packed = self._objects.get(run.key)
        if packed is None:
            raise Corrupted(f"{name} is missing")
        if sha256(packed).hexdigest() != run.sha256:
            raise Corrupted(f"{name} is not what its hash says: it was changed")
        entries: list[tuple[str, Canonical]] = []
        for key, value in from_lines(_unpack(name, packed), name):
            if value is None:
                raise Corrupted(f"{name} deletes key {key!r}, which format 1 has not")
            entries.append((key, value))
        if not entries or run != _run(manifest.machine, packed, entries):
            raise Corrupted(f"{name} is not what that says of it")
        return entries


def _run(machine: str, packed: bytes, entries: list[tuple[str, Canonical]]) -> Run:
    """What a manifest says of a run."""
    name = sha256(packed).hexdigest()
    return Run(
        key=run_key(machine, name),
        sha256=name,
        rows=len(entries),
        bytes=len(packed),
        first=entries[0][0],
        last=entries[-1][0],
    )


def _unpack(name: str, packed: bytes) -> Iterator[bytes]:
    """The lines of a run."""
    try:
        if not 0 <= zstandard.frame_content_size(packed) <= MAX_PART_BYTES:
            raise Corrupted(f"{name} claims more than {MAX_PART_BYTES:,} bytes")
        return iter(BytesIO(zstandard.ZstdDecompressor().decompress(packed)))
    except zstandard.ZstdError as error:
        raise Corrupted(f"{name} does not unpack: {error}") from error


class _Total:
    """Adds up the entries that pass."""

    def __init__(self) -> None:
        self.value = digest.EMPTY
        self.rows = 0

    def watch(self, entries: Iterable[tuple[str, Canonical]]) -> Iterator[tuple[str, Canonical]]:
        for key, value in entries:
            self.value = digest.replace(self.value, key, None, value)
            self.rows += 1
            yield key, value
