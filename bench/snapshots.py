"""What snapshots cost: bytes and requests counted, memory measured. ``make bench-snapshots``.

Entries have about 120 bytes. Whole indented JSON, as a recorder that overwrites one object does it,
stands beside it in the same run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.runs import RunFiles
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.domain import digest
from blockfold.domain.block import Body, Head
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.execute import seal
from blockfold.domain.manifest import Manifest

CHANGES = 1_000
SIZES = (1_000, 10_000, 100_000, 1_000_000)
SNAPSHOTS = 1_000
READS = 2
"""Point reads after each snapshot."""


class CountingStore(FolderObjectStore):
    """An object store in a folder, which counts what goes in and out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.puts = self.written = self.gets = self.read = 0

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        self.puts += 1
        self.written += len(data)
        return super().put_new(key, data)

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        data = super().get(key)
        self.gets += 1
        self.read += len(data or b"")
        return data


class World:
    """A machine's state as it grows, without the log: only what snapshots need of blocks."""

    def __init__(self, folder: Path) -> None:
        self.store = CountingStore(folder)
        self.snapshots = ObjectSnapshots(self.store)
        self.head = Head(machine="bench")
        self.numbers: dict[str, int] = {}
        self._random = Random(1)  # noqa: S311 - a simulation

    def change(self, keys: list[int]) -> dict[str, Canonical]:
        """New values for some keys, and the head after that."""
        total = self.head.total
        changes = {f"player/{key:07}": self._value(key) for key in sorted(set(keys))}
        for key, value in changes.items():
            number = digest.entry_number(key, value)
            total += number - self.numbers.get(key, 0)
            self.numbers[key] = number
        self.block = seal(
            self.head,
            Body(),
            total=total % (1 << (8 * digest.WIDTH)),
            keys=len(self.numbers),
            time=0,
            code="Bench/1",
        )
        self.head = self.block.head
        return changes

    def _value(self, key: int) -> Canonical:
        draw = self._random.randrange
        return encode(
            {
                "best": draw(10**6),
                "games": draw(1_000),
                "name": f"Player {key}",
                "points": draw(10**6),
                "team": f"{draw(2**32):08x}",
                "updated": f"2026-11-{draw(1, 31):02}T{draw(24):02}:{draw(60):02}:00Z",
            }
        )


def delta(size: int, folder: Path) -> tuple[int, int, int]:
    """Bytes and requests of a snapshot after 1,000 changes to a state, and of whole JSON."""
    world = World(folder)
    draw = Random(2)  # noqa: S311 - a simulation
    entries = world.change(list(range(size)))
    base = world.snapshots.save(world.block, entries.items())
    changes = world.change(draw.sample(range(size), CHANGES))
    world.store.puts = world.store.written = 0
    whole = entries | changes
    text = json.dumps({key: json.loads(value) for key, value in whole.items()}, indent=4)
    world.snapshots.save(world.block, iter(changes.items()), base)
    return world.store.written, world.store.puts, len(text)


@dataclass(slots=True)
class Growth:
    """What 1,000 snapshots cost."""

    amplification: float
    gets: list[int]
    read: list[int]


def growth(folder: Path) -> Growth:
    """1,000 snapshots of 1,000 random changes each to a state that grows to 1e6 entries."""
    world = World(folder)
    draw = Random(3)  # noqa: S311 - a simulation
    order = draw.sample(range(SNAPSHOTS * CHANGES), SNAPSHOTS * CHANGES)
    manifest: Manifest | None = None
    deltas = 0
    gets: list[int] = []
    read: list[int] = []
    for snapshot in progress():
        first = snapshot * CHANGES
        changes = world.change(order[first : first + CHANGES])
        deltas += alone(changes, folder / "alone" / str(snapshot))
        manifest = world.snapshots.save(world.block, iter(changes.items()), manifest)
        for key in draw.sample(order[: first + CHANGES], READS):
            world.store.gets = world.store.read = 0
            opened = world.snapshots.open(manifest.key)
            assert world.snapshots.value(opened, f"player/{key:07}") is not None
            gets.append(world.store.gets)
            read.append(world.store.read)
    return Growth(world.store.written / deltas, gets, read)


def alone(changes: dict[str, Canonical], folder: Path) -> int:
    """Bytes of a snapshot's changes by themselves."""
    return sum(
        run.bytes for run in RunFiles(CountingStore(folder)).write("m", changes.items(), 0, CHANGES)
    )


def memory(folder: Path) -> int:
    """Peak memory in MB of a process of its own that reads and rewrites the newest snapshot."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.snapshots", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def rewrite(folder: Path) -> None:
    """Merge all generations of the newest snapshot into one, and print this process's peak.

    From ``VmHWM``: ``ru_maxrss`` would count what the parent had when it forked.
    """
    store = CountingStore(folder)
    snapshots = ObjectSnapshots(store)
    manifest = snapshots.open(list(store.list("machines/bench/snapshots/"))[-1].key)
    list(RunFiles(store).write("rewritten", snapshots.entries(manifest), 0, manifest.rows))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    sys.stdout.write(str(int(peak.split()[1]) // 1024))


def progress() -> Iterator[int]:
    """The snapshots' numbers, with a dot now and then."""
    for snapshot in range(SNAPSHOTS):
        if snapshot % 100 == 0:
            sys.stderr.write(".")
            sys.stderr.flush()
        yield snapshot
    sys.stderr.write("\n")


def main() -> None:
    """Print all figures."""
    out = sys.stdout.write
    out(f"A snapshot after {CHANGES:,} changes\n")
    out(f"{'entries':>10} {'bytes':>8} {'PUTs':>5} {'whole JSON':>13} {'ratio':>8}\n")
    for size in SIZES:
        with TemporaryDirectory() as folder:
            written, puts, whole = delta(size, Path(folder))
        out(f"{size:>10,} {written:>8,} {puts:>5} {whole:>13,} {whole / written:>8,.0f}\n")
    with TemporaryDirectory() as folder:
        found = growth(Path(folder))
        peak = memory(Path(folder))
    out(f"\n{SNAPSHOTS:,} snapshots of {CHANGES:,} changes, to {SNAPSHOTS * CHANGES:,} entries\n")
    out(f"  bytes written, merging and manifests too: {found.amplification:.2f} x the deltas\n")
    out(
        f"  a point read: {statistics.median(found.gets):.0f} GETs in the median, "
        f"{max(found.gets)} at most; {max(found.read) / 1e6:.1f} MB at most\n"
        f"  peak memory of reading and merging the last snapshot: {peak} MB\n"
    )


if __name__ == "__main__":
    rewrite(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
