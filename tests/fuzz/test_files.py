"""Objects whose bytes are anything: all that reads them says `Corrupted` or the truth.

Damage by a flipped byte, a cut or a loss is tried elsewhere; here the content makes sense to the
reader's parser, and says something else: other fields, other types, other numbers, other sizes.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
import zstandard

from blockfold.application.kept_settings import KeptSettings
from blockfold.application.read import Reader
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.keys import machine_of
from blockfold.domain.segments import Segment
from tests.fuzz.payloads import mutated
from tests.repair.world import MACHINES, World, rich

TRIES = 1_000 if os.environ.get("BLOCKFOLD_SOAK") else 12

RICH = rich()
NAMES = sorted(RICH.bytes())


def _rle_frame(window: int, blocks: int) -> bytes:
    """A zstd frame of zeros that names its window (a power of two), and not its own size."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0, (window - 10) << 3])
    size = 128 * 1024
    body = [
        struct.pack("<I", size << 3 | 2 | (at == blocks - 1))[:3] + b"0" for at in range(blocks)
    ]
    return head + b"".join(body)


def _unpacked(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _as_json(data: bytes, random: Random) -> bytes:
    """One line, or the only one, says something else."""
    packed = data[:4] == b"\x28\xb5\x2f\xfd"
    text = _unpacked(data) if packed else data
    lines = text.split(b"\n")
    filled = [at for at, line in enumerate(lines) if line]
    if not filled:
        return _rle_frame(20, 1)
    at = random.choice(filled)
    lines[at] = json.dumps(mutated(json.loads(lines[at]), random)).encode()
    changed = b"\n".join(lines)
    return zstandard.ZstdCompressor().compress(changed) if packed else changed


def _lines(data: bytes, random: Random) -> bytes:
    """Lines in another order, doubled or missing."""
    if data[:4] != b"\x28\xb5\x2f\xfd":
        return data + data
    lines = _unpacked(data).splitlines(keepends=True)
    random.shuffle(lines)
    chosen = lines[: random.randrange(len(lines) + 1)] + lines[:1]
    return zstandard.ZstdCompressor().compress(b"".join(chosen))


def _other(data: bytes, random: Random) -> bytes:
    """The content of another object."""
    return RICH.bytes()[random.choice(NAMES)]


def _noise(data: bytes, random: Random) -> bytes:
    return random.randbytes(random.randrange(2_000))


def _sizes(data: bytes, random: Random) -> bytes:
    """Frames that unpack to much, or ask for much memory to do so."""
    window, blocks = random.choice(((20, 1_000), (27, 40), (31, 2), (41, 1)))
    return _rle_frame(window, blocks)


Change = Callable[[bytes, Random], bytes]
CHANGES: tuple[Change, ...] = (_as_json, _as_json, _as_json, _lines, _other, _noise, _sizes)


def read_everything(world: World) -> dict[str, Any]:
    """Every read of every machine; what each said, or None where it refused."""
    reader = Reader(world.whole, world.table, world.machines, world.snapshots)
    reads: dict[str, Callable[[], Any]] = {}
    for machine in MACHINES:
        head = RICH.head(machine)
        for number in (1, head // 2, head):
            reads[f"{machine} {number}"] = partial(_state, reader, machine, number)
        reads[f"{machine} blocks"] = partial(_hashes, world, machine)
        for segment in RICH.archive.segments(machine):
            reads[segment.key] = partial(_archived, world, segment)
        reads[f"{machine} settings"] = partial(KeptSettings(world.objects).newest, machine)
    found: dict[str, Any] = {}
    for name, read in reads.items():
        try:
            found[name] = read()
        except BlockfoldError:
            found[name] = None
    return found


def _state(reader: Reader, machine: str, number: int) -> dict[str, bytes]:
    return dict(reader.state_at(machine, number).entries)


def _hashes(world: World, machine: str) -> list[str]:
    return [block.hash for block in world.whole.read(machine, 1)]


def _archived(world: World, segment: Segment) -> list[str]:
    return [block.hash for block in world.archive.read(segment)]


TRUTH = read_everything(RICH)


@pytest.mark.parametrize("kind", sorted({name.split("/")[2] for name in NAMES}))
def test_a_changed_object_is_refused_or_says_the_truth(kind: str) -> None:
    random = Random(kind)
    names = [name for name in NAMES if name.split("/")[2] == kind]
    refused = 0
    for _ in range(TRIES):
        world, name, change = RICH.copy(), random.choice(names), random.choice(CHANGES)
        world.objects._objects[name] = change(world.bytes()[name], random)
        try:
            for read, said in read_everything(world).items():
                assert said is None or said == TRUTH[read] or "settings" in read, read
                refused += said is None
            world.verify(machine_of(name.split("/")[1]))
        except Exception as error:
            error.add_note(f"{name}: {change.__name__}: {world.objects._objects[name][:500]!r}")
            raise
    assert refused or kind == "retired"


def test_memory_stays_within_bounds_whatever_a_frame_asks_for() -> None:
    """In a process of its own, since what the compressor takes is not Python's."""
    code = """
import resource, sys
from tests.fuzz.test_files import _rle_frame
from blockfold.adapters.packed_lines import unpacked_lines
from blockfold.domain.errors import Corrupted
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for window, blocks in ((27, 2_000), (20, 2_000), (31, 2_000), (41, 2_000)):
    try:
        for _ in unpacked_lines(_rle_frame(window, blocks), "x", longest=2**19, most=2**26):
            pass
    except Corrupted:
        continue
    sys.exit(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) < 100_000  # KB
