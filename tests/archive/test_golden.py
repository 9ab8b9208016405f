"""Segments that version 1 of the format wrote keep reading: their bytes are kept here."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.block import Head
from blockfold.domain.replay import chained
from blockfold.domain.segments import Piece, Segment, cover, superseded, to_line
from tests.docs.pages import ROOT, snippets

GOLDEN = Path(__file__).parent / "golden"
MACHINE = "grove/1.~"
FOLDER = "machines/grove%2F1%2E%7E/archive/"
LINES = (GOLDEN / "blocks.jsonl").read_bytes().splitlines(keepends=True)


def stored() -> MemoryObjectStore:
    objects = MemoryObjectStore()
    for path in sorted((GOLDEN / "machines").rglob("*.zst")):
        objects.put_new(path.relative_to(GOLDEN).as_posix(), path.read_bytes())
    return objects


def test_the_golden_segments_read() -> None:
    archive = ObjectArchive(stored())
    listing = archive.segments(MACHINE)
    short, whole, note = listing
    assert [(each.first, each.last, each.epoch) for each in listing] == [
        (1, 2, 0),
        (1, 3, 0),
        (4, 3, 1),
    ]
    assert list(cover(listing, 1)) == [Piece(whole, 1, 3)]
    assert superseded(listing, 3) == [short]
    assert list(archive.read(note)) == []
    blocks = list(chained(Head(machine=MACHINE), archive.read(whole)))
    assert [block.hash for block in blocks][:2] == [block.hash for block in archive.read(short)]
    assert blocks[0].body.changes["tree/oak"] == '{"litres":1.5,"né":"😀"}'.encode()
    assert blocks[2].body.origin is not None
    assert blocks[2].header.digest == blocks[0].header.digest


def test_they_are_written_the_same_way_today() -> None:
    archive = ObjectArchive(stored())
    whole = archive.segments(MACHINE)[1]
    blocks = list(archive.read(whole))
    assert [to_line(block) for block in blocks] == LINES
    (again,) = ObjectArchive(MemoryObjectStore()).write(blocks)
    assert again.key == whole.key


def test_they_read_without_blockfold() -> None:
    """As ``docs/archive-format.md`` says."""
    for path in sorted((GOLDEN / FOLDER).iterdir()):
        first, last, epoch, rest = path.name.split("-")
        text = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        parent = None
        numbers = []
        for line in text.splitlines():
            block: dict[str, Any] = json.loads(line)
            header = block["header"]
            assert sha256(canonical(header)).hexdigest() == block["hash"]
            body = line[line.index(b',"body":') + len(',"body":') : -1]
            assert sha256(body).hexdigest() == header["body"]
            assert sha256(bytes.fromhex(block["sum"])).hexdigest() == header["digest"]
            assert parent in {None, header["parent"]}
            assert (header["machine"], header["epoch"]) == (MACHINE, int(epoch))
            parent = block["hash"]
            numbers.append(header["number"])
        assert numbers == list(range(int(first), int(last) + 1))
        if numbers:
            assert rest == f"{parent}.jsonl.zst"


def test_the_verifier_on_the_page_verifies() -> None:
    (code,) = (each.text for each in snippets(ROOT / "docs" / "archive-format.md", "python"))
    for damage in (None, b"oak", b"litres", b'"keys":2', b"c36c7b"):
        text = b"".join(LINES)
        if damage is not None:
            assert damage in text
            text = text.replace(damage, damage[:-1] + b"0", 1)
        done = subprocess.run([sys.executable, "-c", code], input=text, check=False)
        assert (done.returncode == 0) is (damage is None), damage


def canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def test_a_key_of_version_1_is_read_as_it_was_meant() -> None:
    key = f"{FOLDER}000000000007-000000000012-3-{'ab' * 32}.jsonl.zst"
    assert Segment.named(MACHINE, key, 9, 8) == Segment(MACHINE, 7, 12, 3, "ab" * 32, 9, 8)
