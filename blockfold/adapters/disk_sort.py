"""A sort of more entries than memory holds: sorted pieces in files, merged as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from pathlib import Path

import msgspec

from blockfold.application.import_lines import Entry

PIECE_BYTES = 32 * 1024 * 1024
"""Keys and values of a piece. As Python objects they take some four times that."""

BUFFER_BYTES = 256 * 1024
"""What is read of each piece at once."""


class DiskSort:
    """A `Sorter` with its pieces in a folder, which is the caller's to remove.

    Args:
        folder: An empty folder.
        piece: Bytes of keys and values after which a piece is written.
    """

    def __init__(self, folder: Path, *, piece: int = PIECE_BYTES) -> None:
        self._folder = folder
        self._piece = piece
        self._files: list[Path] = []
        self._entries: list[Entry] = []
        self._bytes = 0

    def add(self, entry: Entry) -> None:
        """See `Sorter.add`."""
        self._entries.append(entry)
        self._bytes += len(entry.key) + len(entry.value)
        if self._bytes >= self._piece:
            self._write()

    def sorted(self) -> Iterator[Entry]:
        """See `Sorter.sorted`."""
        self._entries.sort()
        return merge(*map(_read, self._files), iter(self._entries))

    def _write(self) -> None:
        self._entries.sort()
        file = self._folder / f"{len(self._files)}.jsonl"
        with file.open("wb", buffering=BUFFER_BYTES) as stream:
            for entry in self._entries:
                line = (entry.key, entry.place, msgspec.Raw(entry.value))
                stream.write(_encoder.encode(line) + b"\n")
        self._files.append(file)
        self._entries = []
        self._bytes = 0


def _read(file: Path) -> Iterator[Entry]:
    with file.open("rb", buffering=BUFFER_BYTES) as stream:
        for line in stream:
            key, place, value = _decoder.decode(line)
            yield Entry(key, place, bytes(value))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[str, int, msgspec.Raw])
