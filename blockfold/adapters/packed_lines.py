"""Lines in zstd frames: packed as they come, unpacked as they are asked for, within bounds."""

from __future__ import annotations

import io
from collections.abc import Iterator

import zstandard

from blockfold.domain.errors import Corrupted

CHUNK_BYTES = 1024 * 1024
"""What is given to the compressor at once. A file below that is compressed in one step, for which
the compressor sets itself up much smaller."""

READ_BYTES = 64 * 1024
"""What is unpacked at once."""


class LinePacker:
    """One zstd frame with a checksum that is filled line by line; holds its packed bytes.

    Args:
        level: The compression level.

    Attributes:
        unpacked: Bytes of the lines so far.
        packed: Bytes that are packed so far; what waits for the compressor is not among them.
    """

    def __init__(self, level: int) -> None:
        self.unpacked = 0
        self.packed = 0
        self._level = level
        self._stream: zstandard.ZstdCompressionObj | None = None
        self._output: list[bytes] = []
        self._lines: list[bytes] = []
        self._waiting = 0

    def add(self, line: bytes) -> None:
        """Take one line more."""
        self.unpacked += len(line)
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting >= CHUNK_BYTES:
            self._compress()

    def close(self) -> bytes:
        """The frame."""
        if self._stream is None:
            return self._compressor().compress(b"".join(self._lines))
        self._compress()
        return b"".join((*self._output, self._stream.flush()))

    def _compress(self) -> None:
        if self._stream is None:
            self._stream = self._compressor().compressobj()
        packed = self._stream.compress(b"".join(self._lines))
        self._output.append(packed)
        self.packed += len(packed)
        self._lines.clear()
        self._waiting = 0

    def _compressor(self) -> zstandard.ZstdCompressor:
        return zstandard.ZstdCompressor(level=self._level, write_checksum=True)


def unpacked_lines(packed: bytes, name: str, *, longest: int, most: int) -> Iterator[bytes]:
    """The lines of a frame, each with its newline.

    Args:
        packed: The frame.
        name: What it is, for errors.
        longest: Bytes that a line may have.
        most: Bytes that all may have together.

    Raises:
        Corrupted: It does not unpack, a line has no end, or a bound is passed.
    """
    reader = io.BufferedReader(_Unpacking(packed), READ_BYTES)
    size = 0
    try:
        while line := reader.readline(longest):
            size += len(line)
            if size > most:
                raise Corrupted(f"{name} unpacks to more than {most:,} bytes")
            if not line.endswith(b"\n"):
                raise Corrupted(f"{name} breaks off, or has a line of more than {longest:,} bytes")
            yield line
    except zstandard.ZstdError as error:
        raise Corrupted(f"{name} does not unpack: {error}") from error


class _Unpacking(io.RawIOBase):
    """Compressed bytes, read unpacked."""

    def __init__(self, packed: bytes) -> None:
        self._reader = zstandard.ZstdDecompressor().stream_reader(packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return self._reader.readinto(buffer)
