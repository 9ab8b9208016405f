"""Snapshots that version 1 of the format wrote keep reading: their bytes are kept here."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.domain.canonical import decode
from blockfold.domain.digest import digest_of, sum_of

GOLDEN = Path(__file__).parent / "golden"
MACHINE = "grove/1.~"
KEY = "machines/grove%2F1%2E%7E/snapshots/000000000002.json"
ENTRIES: dict[str, Any] = json.loads((GOLDEN / "entries.json").read_text(encoding="utf-8"))


def stored() -> MemoryObjectStore:
    objects = MemoryObjectStore()
    for path in sorted((GOLDEN / "machines").rglob("*")):
        if path.is_file():
            objects.put_new(path.relative_to(GOLDEN).as_posix(), path.read_bytes())
    return objects


def test_the_golden_snapshot_reads() -> None:
    snapshots = ObjectSnapshots(stored())
    assert snapshots.numbers(MACHINE) == [1, 2]
    manifest = snapshots.open(KEY)
    assert snapshots.get(MACHINE, 2) == manifest
    assert [len(runs) for runs in manifest.generations] == [3, 1]
    assert (manifest.machine, manifest.number, manifest.rows) == (MACHINE, 2, len(ENTRIES))
    entries = list(snapshots.entries(manifest))
    assert {key: decode(value) for key, value in entries} == ENTRIES
    assert [key for key, _ in entries] == sorted(ENTRIES)
    assert {key: snapshots.value(manifest, key) for key in ENTRIES} == dict(entries)
    assert snapshots.value(manifest, "gone") is None
    assert [key for key, _ in snapshots.scan(manifest, "tree/")] == [
        "tree/ash",
        "tree/oak",
        "tree/pine",
    ]
    assert digest_of(sum_of(entries)) == manifest.digest


def test_it_is_written_the_same_way_today() -> None:
    manifest = ObjectSnapshots(stored()).open(KEY)
    assert manifest.to_bytes() == (GOLDEN / KEY).read_bytes()


def test_it_reads_without_blockfold() -> None:
    manifest = json.loads((GOLDEN / KEY).read_text(encoding="utf-8"))
    assert manifest["format"] == 1
    found: dict[str, Any] = {}
    for run in manifest["runs"]:
        packed = (GOLDEN / run["key"]).read_bytes()
        assert run["key"] == f"machines/grove%2F1%2E%7E/runs/{run['sha256']}.jsonl.zst"
        assert sha256(packed).hexdigest() == run["sha256"]
        assert len(packed) == run["bytes"]
        text = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == run["rows"]
        assert (lines[0]["key"], lines[-1]["key"]) == (run["first"], run["last"])
        for line in lines:  # generation by generation, so a later line of a key counts
            found.pop(line["key"], None)
            if not line.get("deleted"):
                found[line["key"]] = line["value"]
    assert found == ENTRIES
    assert manifest["digest"] == sha256(bytes.fromhex(manifest["sum"])).hexdigest()
