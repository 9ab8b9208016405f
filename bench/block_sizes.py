"""What blocks take, and where large bodies cost least: ``python -m bench.block_sizes``.

Blocks of the workloads as DynamoDB counts them, with the dictionary and without. Then the price of
a million blocks with the body in the item and in an object, by the body's size, and both ways'
times on an emulator, in turns.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import uuid4

import zstandard
from msgspec import Raw

from bench import forest, httpx, leaderboard
from bench.server import BUCKET, OURS, serving
from bench.workload import Workload, messages
from blockfold.adapters.dynamodb import DynamoBlockLog
from blockfold.adapters.dynamodb.items import to_item
from blockfold.adapters.dynamodb.packing import pack
from blockfold.adapters.s3 import S3ObjectStore
from blockfold.bootstrap import load_machine
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.execute import execute, seal
from blockfold.domain.prices import DYNAMODB_GB_MONTH, RRU, S3_GB_MONTH, S3_GET, S3_PUT, WRU
from blockfold.domain.replay import EntriesSource, fold
from blockfold.domain.units import item_bytes, read_units, write_units

SHAPES: tuple[tuple[int, int], ...] = ((1, 10), (100, 1))
"""Actions of a message, messages of a block."""

KILOBYTES = (2, 4, 6, 7, 8, 9, 10, 12, 16)
ITEM_BYTES = 460
"""Of an item without its body."""

READERS = 2
"""Announcer and archiver read each block; an item comes to them with the stream, free of charge."""

STAYS = (1 / 30, 1.0)
"""Months that a body stays before it is pruned: a day at least."""

ROUNDS = 60
MILLION = 1_000_000
GB = 1024**3


def blocks(workload: Workload, packed: int = 1, size: int = 10) -> Iterator[Block]:
    """The workload's blocks, each of ``size`` messages with ``packed`` actions."""
    machine = load_machine(workload.machine)()
    queued = messages(list(workload.bodies(packed)))
    head, entries = Head(machine="bench"), dict[str, Canonical]()
    for first in range(0, len(queued), size):
        block = execute(machine, head, EntriesSource(entries), queued[first : first + size])
        fold(entries, block)
        head = block.head
        yield block


def plain(payload: Canonical) -> bytes:
    """A body as it was packed before there was a dictionary."""
    return zstandard.ZstdCompressor(level=3, write_checksum=False).compress(payload)


def inline(size: int, months: float) -> float:
    """Dollars for a block with the body in its item: written, read once from the table, kept."""
    item = ITEM_BYTES + size
    return WRU * write_units(item) + RRU * read_units(item) + _kept(DYNAMODB_GB_MONTH, item, months)


def spilled(size: int, months: float) -> float:
    """The same with the body in an object."""
    small = WRU * write_units(ITEM_BYTES) + RRU * read_units(ITEM_BYTES)
    asked = S3_PUT + S3_GET * (READERS + 1)
    kept = _kept(DYNAMODB_GB_MONTH, ITEM_BYTES, months) + _kept(S3_GB_MONTH, size, months)
    return small + asked + kept


def times(size: int) -> tuple[float, float, float, float]:
    """Milliseconds to append and to read a block: body in the item, then in an object; medians."""
    taken: dict[tuple[str, int], list[float]] = {}
    with TemporaryDirectory() as folder, serving(Path(folder)) as server:
        clients = server.clients()
        objects = S3ObjectStore(lambda: clients.s3, BUCKET)
        with server.with_tables({"blocks": OURS["blocks"]}) as tables:
            for number in range(ROUNDS):
                for limit in (1 << 20, 0):
                    log = DynamoBlockLog(clients.dynamodb, tables["blocks"], objects, inline=limit)
                    block = _noise(f"m-{uuid4().hex}", size, number)
                    begin = time.perf_counter()
                    log.append(block)
                    done = time.perf_counter()
                    log.get(block.machine, 1)
                    taken.setdefault(("append", limit), []).append(done - begin)
                    taken.setdefault(("read", limit), []).append(time.perf_counter() - done)
    found = {way: statistics.median(all_) * 1000 for way, all_ in taken.items()}
    return found["append", 1 << 20], found["append", 0], found["read", 1 << 20], found["read", 0]


def main() -> None:
    """Print all of it."""
    out = sys.stdout.write
    out("blocks: raw body, item without dictionary, with it (mean, most), write units an action\n")
    for workload in (leaderboard.workload(), forest.workload(), httpx.workload()):
        for packed, size in SHAPES:
            made = list(blocks(workload, packed, size))
            before = [item_bytes(to_item(each, plain(each.payload))) for each in made]
            after = [item_bytes(to_item(each, pack(each.payload))) for each in made]
            actions = sum(each.actions for each in made)
            raw = statistics.mean(len(each.payload) for each in made)
            out(
                f"  {workload.name:<14} {packed:>3} x {size:<2} {raw:8,.0f} "
                f"{statistics.mean(before):8,.0f} {statistics.mean(after):8,.0f} {max(after):8,} "
                f"{sum(map(write_units, before)) / actions:7.3f} "
                f"{sum(map(write_units, after)) / actions:7.3f}\n"
            )
    out("a million blocks, body in the item / in an object, kept for a day and for a month\n")
    for kilobytes in KILOBYTES:
        prices = [
            f"${way(kilobytes * 1024, months) * MILLION:6.2f}"
            for months in STAYS
            for way in (inline, spilled)
        ]
        out(f"  {kilobytes:3} KB   {prices[0]} / {prices[1]}    {prices[2]} / {prices[3]}\n")
    put, put_object, read, read_object = times(8 * 1024)
    out(
        f"8 KB on an emulator, medians of {ROUNDS}: append {put:.1f} ms, with an object "
        f"{put_object:.1f} ms ({put_object / put:.1f} x); read {read:.1f} ms, with an object "
        f"{read_object:.1f} ms ({read_object / read:.1f} x)\n"
    )


def _kept(price: float, size: int, months: float) -> float:
    return price * size / GB * months


def _noise(machine: str, size: int, seed: int) -> Block:
    """A first block whose packed body has about so many bytes: two hex digits are one."""
    value = Raw(encode(Random(seed).randbytes(size).hex()))  # noqa: S311 - any bytes will do
    body = Body(set={"noise": value})
    return seal(Head(machine=machine), body, total=0, keys=1, time=1, code="Noise/1")


if __name__ == "__main__":
    main()
