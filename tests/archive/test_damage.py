"""Damaged segments: whatever happens to the bytes, no block comes out that was not archived."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from random import Random
from unittest.mock import patch

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Block
from blockfold.adapters import archive as adapter
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.errors import Corrupted
from blockfold.domain.segments import Segment, to_line
from tests.archive.shelves import chain_of, grown, hashes

CHAIN = chain_of(4, machine="a/ä", size=50)


def written() -> tuple[MemoryObjectStore, Segment]:
    objects = MemoryObjectStore()
    (segment,) = ObjectArchive(objects).write(CHAIN)
    return objects, segment


OBJECTS, SEGMENT = written()
PACKED = OBJECTS.get(SEGMENT.key) or b""
LINES = [to_line(block) for block in CHAIN]


def read(packed: bytes, segment: Segment = SEGMENT) -> list[Block]:
    objects = MemoryObjectStore()
    objects.replace(segment.key, packed)
    return list(ObjectArchive(objects).read(segment))


def pack(lines: list[bytes]) -> bytes:
    return zstandard.ZstdCompressor().compress(b"".join(lines))


def test_what_was_written_reads() -> None:
    assert hashes(read(PACKED)) == hashes(read(pack(LINES))) == hashes(CHAIN)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed_or_harmless(position: int, flips: int) -> None:
    data = bytearray(PACKED)
    data[position] ^= flips
    with suppress(Corrupted):  # there are bits in a frame that say nothing
        assert hashes(read(bytes(data))) == hashes(CHAIN)


@pytest.mark.parametrize("length", [0, 1, 10, len(PACKED) // 2, len(PACKED) - 5])
def test_a_segment_that_breaks_off_is_noticed(length: int) -> None:
    with pytest.raises(Corrupted, match="segment"):
        read(PACKED[:length])


WHOLE = json.loads(LINES[1])
HASH, SUM = WHOLE["hash"].encode(), WHOLE["sum"].encode()


def header(**fields: object) -> bytes:
    """The second line with another header."""
    whole = {**WHOLE, "header": {**WHOLE["header"], **fields}}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def second(line: bytes) -> list[bytes]:
    return [LINES[0], line, *LINES[2:]]


CHANGES = {
    **{
        name: second(header(**{name: value}))
        for name, value in {
            "machine": "b",
            "number": 9,
            "epoch": 1,
            "keys": 7,
            "time": 1,
            "format": 2,
        }.items()
    },
    "hash": second(LINES[1].replace(HASH, b"0" * 64)),
    "sum": second(LINES[1].replace(SUM, b"0" * 512)),
    "short sum": second(LINES[1].replace(SUM, b"0")),
    "no sum": second(LINES[1].replace(SUM, b"z" * 512)),
    "huge sum": second(LINES[1].replace(SUM, b"f" * 600)),
    "body": second(LINES[1].replace(b'"set":', b'"sex":')),
    "spaces": second(LINES[1].replace(b',"body":', b', "body":')),
    "extra": second(LINES[1].replace(b'{"hash"', b'{"more":1,"hash"')),
    "extra header": second(LINES[1].replace(b'"header":{', b'"header":{"more":1,')),
    "missing": [LINES[0], *LINES[2:]],
    "missing first": LINES[1:],
    "missing last": LINES[:3],
    "twice": second(LINES[1] + LINES[1]),
    "order": [LINES[0], LINES[2], LINES[1], LINES[3]],
    "more": [*LINES, *map(to_line, grown(CHAIN[-1].head, 1))],
    "another": second(to_line(grown(CHAIN[0].head, 1, message="other")[0])),
    "another last": [*LINES[:3], to_line(grown(CHAIN[2].head, 1, message="other")[0])],
    "another machine": [to_line(each) for each in chain_of(4, machine="b")],
    "no newline": [*LINES[:3], LINES[3][:-1]],
    "empty line": second(b"\n" + LINES[1]),
    "no json": second(b"\xff\xfe\n"),
    "deep": second(b"[" * 100_000 + b"\n"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_lines_that_are_not_what_was_archived_are_refused(name: str) -> None:
    lines = CHANGES[name]
    assert b"".join(lines) != b"".join(LINES)
    with pytest.raises(Corrupted, match="segment machines/a%2F"):
        read(pack(lines))


@pytest.mark.parametrize(
    "name",
    [
        Segment("b", 1, 4, 0, SEGMENT.hash),
        Segment(SEGMENT.machine, 1, 4, 1, SEGMENT.hash),
        Segment(SEGMENT.machine, 2, 4, 0, SEGMENT.hash),
        Segment(SEGMENT.machine, 1, 5, 0, SEGMENT.hash),
        Segment(SEGMENT.machine, 1, 3, 0, CHAIN[2].hash),
        Segment(SEGMENT.machine, 1, 0, 0, SEGMENT.hash),
    ],
)
def test_a_segment_under_another_name_is_refused(name: Segment) -> None:
    objects = MemoryObjectStore()
    objects.replace(name.key, PACKED)
    found: list[Block] = []
    with pytest.raises(Corrupted, match="segment"):
        found.extend(ObjectArchive(objects).read(name))
    assert all(block.number <= name.last for block in found)
    assert found == [] or (name.machine, name.epoch) == (SEGMENT.machine, SEGMENT.epoch)


@pytest.mark.parametrize("size", [1, 10**6])
def test_a_segment_that_unpacks_to_too_much_is_refused(size: int) -> None:
    bomb = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(bomb, closefd=False) as stream:
        for _ in range(20):
            stream.write(b" " * 10**6 + (b"\n" if size == 1 else b""))
    with (
        patch.object(adapter, "MAX_UNPACKED_BYTES", 5 * 10**6),
        pytest.raises(Corrupted, match=r"no block|breaks off|more than"),
    ):
        read(bomb.getvalue())


def test_many_lines_are_bounded_together() -> None:
    with (
        patch.object(adapter, "MAX_UNPACKED_BYTES", len(b"".join(LINES)) - 1),
        pytest.raises(Corrupted, match="unpacks to more than"),
    ):
        read(PACKED)
    with patch.object(adapter, "MAX_UNPACKED_BYTES", len(b"".join(LINES))):
        assert hashes(read(PACKED)) == hashes(CHAIN)


def test_bytes_that_are_no_frame_are_refused() -> None:
    for data in (b"", b"plain", Random(1).randbytes(500), msgspec.json.encode([1])):
        with pytest.raises(Corrupted):
            read(data)
