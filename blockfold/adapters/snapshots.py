"""Snapshots over any object store: what changed as a new generation of runs, the manifest last."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import Any, cast

import msgspec

from blockfold.adapters.runs import UNPACKED_BYTES, Entry, RunFiles, system_time
from blockfold.domain import digest, levels
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import (
    manifest_key,
    pinned_key,
    pinned_prefix,
    retired_key,
    retired_prefix,
    snapshots_prefix,
)
from blockfold.domain.manifest import Manifest, Run
from blockfold.domain.retention import DAY
from blockfold.domain.spans import FIRST, LAST
from blockfold.ports import ObjectStore, Stored

RETIRED_STAYS = DAY * 1000
"""Milliseconds that a removed snapshot stays readable for those who opened it: a hundred times the
life of a Lambda function."""


class ObjectSnapshots:
    """A `SnapshotStore` in an object store. Whatever the state's size, memory is bounded.

    Args:
        objects: Where runs and manifests stand.
        part: Uncompressed bytes after which a run file is closed.
        now: Tells the time, milliseconds since 1970 UTC.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        part: int = UNPACKED_BYTES,
        now: Callable[[], int] = system_time,
    ) -> None:
        self._objects = objects
        self._now = now
        self._files = RunFiles(objects, now=now, part=part)
        self._repairs = RunFiles(cast("ObjectStore", _Overwriting(objects)), now=now, part=part)

    # -- writing ---------------------------------------------------------------------------

    def save(
        self,
        block: Block,
        entries: Iterable[tuple[str, Canonical | None]],
        base: Manifest | None = None,
        *,
        most: int | None = None,
        anew: bool = False,
    ) -> Manifest:
        """See `SnapshotStore.save`."""
        if base is None:
            runs = self._write_all(block, entries, anew=anew)
        else:
            runs = self._write_changes(block, list(entries), base, most, anew=anew)
        manifest = _manifest_of(block, runs)
        key = manifest_key(block.machine, block.number)
        if anew:
            self.put(manifest)
            return manifest
        if self._objects.put_new(key, manifest.to_bytes()):
            return manifest
        there = self.open(key)
        if msgspec.structs.replace(there, runs=runs) != manifest:
            raise Corrupted(f"{key} is a snapshot of another block {block.number} than the log's")
        return there

    def _write_changes(
        self, block: Block, changes: list[Entry], base: Manifest, most: int | None, *, anew: bool
    ) -> tuple[Run, ...]:
        if not changes:
            return base.runs
        older = base.generations
        rows = [sum(run.rows for run in generation) for generation in older]
        count = levels.merged([*rows, len(changes)], most) - 1
        kept, taken = older[: len(older) - count], older[len(older) - count :]
        entries = _newest([*(self._stream(runs, base) for runs in taken), iter(changes)])
        most_rows = sum(rows[len(older) - count :]) + len(changes)
        if not kept:
            return self._write_all(block, entries, anew=anew)
        number = kept[-1][0].generation + 1
        return (
            *chain.from_iterable(kept),
            *self._writer(anew=anew).write(block.machine, entries, number, most_rows),
        )

    def _write_all(
        self, block: Block, entries: Iterable[Entry], *, anew: bool = False
    ) -> tuple[Run, ...]:
        """A whole state as the first generation, held against the block."""
        total = _Total()
        present = total.watch(_present(entries))
        files = self._writer(anew=anew)
        runs = tuple(files.write(block.machine, present, 0, block.header.keys))
        if (total.rows, total.value) != (block.header.keys, block.total):
            raise Corrupted(
                f"the state folded for block {block.number} of machine {block.machine!r} has "
                f"{total.rows} keys and digest {digest.digest_of(total.value)}, the block says "
                f"{block.header.keys} and {block.header.digest}"
            )
        return runs

    def _writer(self, *, anew: bool) -> RunFiles:
        return self._repairs if anew else self._files

    def pin(self, manifest: Manifest, *, anew: bool = False) -> str:
        """See `SnapshotStore.pin`."""
        key = pinned_key(manifest.machine, manifest.number, manifest.hash)
        if anew:
            self._objects.replace(key, manifest.to_bytes())
        else:
            self._objects.put_new(key, manifest.to_bytes())
        return key

    def put(self, manifest: Manifest) -> None:
        """See `SnapshotStore.put`."""
        self._objects.replace(manifest.key, manifest.to_bytes())

    def check(self, run: Run, owner: str) -> None:
        """See `SnapshotStore.check`."""
        for _ in self._files.read(run, owner):
            pass

    def mend(
        self, manifest: Manifest, damaged: Collection[Run], entries: Sequence[tuple[str, Canonical]]
    ) -> Manifest:
        """See `SnapshotStore.mend`.

        What stands for a damaged run has all entries of the state within its keys, and says of the
        other keys there that older generations have that they were deleted. Newer generations only
        repeat that.
        """
        if (len(entries), digest.sum_of(entries)) != (manifest.rows, manifest.total):
            raise Corrupted(f"{manifest.key} is of another state than the log's")
        older: list[list[Run]] = []
        for generation in manifest.generations:
            runs: list[Run] = []
            for run in generation:
                if run in damaged:
                    again = self._again(run, entries, older, manifest)
                    rows = manifest.rows
                    number = run.generation
                    runs += self._repairs.write(manifest.machine, again, number, rows)
                else:
                    runs.append(run)
            older += [runs] if runs else []
        return msgspec.structs.replace(manifest, runs=tuple(chain.from_iterable(older)))

    def _again(
        self,
        run: Run,
        entries: Sequence[tuple[str, Canonical]],
        older: list[list[Run]],
        manifest: Manifest,
    ) -> Iterator[Entry]:
        """What has to stand for a damaged run, whatever it held."""
        first = bisect_left(entries, run.first, key=itemgetter(0))
        last = bisect_right(entries, run.last, key=itemgetter(0))
        hidden = []
        for generation in older:
            there = [each for each in generation if each.last >= run.first]
            there = [each for each in there if each.first <= run.last]
            stream = self._stream(there, manifest)
            hidden.append((key, None) for key, _ in stream if run.first <= key <= run.last)
        yield from _newest([*hidden, iter(entries[first:last])])

    def upload(self, block: Block, entries: Iterable[tuple[str, Canonical]]) -> str:
        """See `SnapshotStore.upload`."""
        return self.pin(_manifest_of(block, self._write_all(block, entries)))

    def retire(self, manifest: Manifest) -> None:
        """See `SnapshotStore.retire`. The copy first, so that its runs are named at any moment."""
        copy = retired_key(manifest.machine, manifest.number, self._now())
        self._objects.put_new(copy, manifest.to_bytes())
        self._objects.delete([manifest.key])

    # -- manifests ---------------------------------------------------------------------------

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
        return [
            number
            for each in self._objects.list(snapshots_prefix(machine))
            if (number := _number_in(each.key)) is not None
        ]

    def roots(self, machine: str) -> list[str]:
        """See `SnapshotStore.roots`. Lists in the order in which manifests are copied."""
        current = [
            each.key
            for each in self._objects.list(snapshots_prefix(machine))
            if _number_in(each.key) is not None
        ]
        pinned = [each.key for each in self._objects.list(pinned_prefix(machine))]
        retired = [
            each.key
            for each in self._objects.list(retired_prefix(machine))
            if not self._is_over(each)
        ]
        return [*current, *pinned, *retired]

    def leftovers(self, machine: str) -> list[Stored]:
        """See `SnapshotStore.leftovers`."""
        return [each for each in self._objects.list(retired_prefix(machine)) if self._is_over(each)]

    def _is_over(self, retired: Stored) -> bool:
        return retired.modified <= self._now() - RETIRED_STAYS

    def _manifest(self, data: bytes, key: str) -> Manifest:
        manifest = Manifest.from_bytes(data, key)
        retired = f"{retired_prefix(manifest.machine)}{manifest.number:012d}-"
        if not key.startswith(retired) and key not in {
            manifest.key,
            pinned_key(manifest.machine, manifest.number, manifest.hash),
        }:
            raise Corrupted(
                f"{key} holds the snapshot of block {manifest.number} of machine "
                f"{manifest.machine!r}"
            )
        return manifest

    # -- reading -----------------------------------------------------------------------------

    def value(self, manifest: Manifest, key: str) -> Canonical | None:
        """See `SnapshotStore.value`."""
        for generation in reversed(manifest.generations):
            for run in generation:
                if run.first <= key <= run.last:
                    entry = self._files.find(run, manifest.key, key)
                    if entry is not None:
                        return entry[1]
        return None

    def scan(
        self, manifest: Manifest, prefix: str = "", *, after: str = FIRST, upto: str = LAST
    ) -> Iterator[tuple[str, Canonical]]:
        """See `SnapshotStore.scan`. Reads only files that may hold such keys."""
        streams = []
        for generation in manifest.generations:
            runs = [
                run
                for run in generation
                if run.last >= prefix
                and (run.first <= prefix or run.first.startswith(prefix))
                and run.last > after
                and run.first <= upto
            ]
            streams.append(self._stream(runs, manifest))
        for key, value in _present(_newest(streams)):
            if key > upto:
                return
            if key > after and key.startswith(prefix):
                yield key, value

    def entries(self, manifest: Manifest) -> Iterator[tuple[str, Canonical]]:
        """See `SnapshotStore.entries`. Holds one file of each generation in memory, packed."""
        total = _Total()
        streams = [self._stream(runs, manifest) for runs in manifest.generations]
        yield from total.watch(_present(_newest(streams)))
        if (total.rows, total.value) != (manifest.rows, manifest.total):
            raise Corrupted(
                f"the runs of {manifest.key} do not have the rows and the digest that it says"
            )

    def _stream(self, runs: list[Run], manifest: Manifest) -> Iterator[Entry]:
        """The entries of one generation's files, which must follow each other."""
        before: str | None = None
        for run in runs:
            if before is not None and run.first <= before:
                raise Corrupted(f"{manifest.key} names runs that overlap at key {run.first!r}")
            before = run.last
            yield from self._files.read(run, manifest.key)


def _number_in(key: str) -> int | None:
    """The block in the key of a manifest; None if the object is none."""
    stem, _, kind = key.rpartition("/")[2].partition(".")
    return int(stem) if kind == "json" and stem.isdigit() else None


def _manifest_of(block: Block, runs: tuple[Run, ...]) -> Manifest:
    return Manifest(
        machine=block.machine,
        number=block.number,
        hash=block.hash,
        digest=block.header.digest,
        sum=digest.to_bytes(block.total).hex(),
        rows=block.header.keys,
        runs=runs,
        time=block.header.time,
        code=block.header.code,
        epoch=block.header.epoch,
        ordinal=block.header.ordinal + block.actions,
    )


def _newest(generations: list[Iterator[Entry]]) -> Iterator[Entry]:
    """Merge generations, oldest first; of a key that stands in several, the newest counts."""
    if len(generations) == 1:
        yield from generations[0]
        return
    aged = (_aged(generation, age) for age, generation in enumerate(reversed(generations)))
    before: str | None = None
    for key, _, value in merge(*aged):
        if key != before:
            yield key, value
        before = key


def _aged(generation: Iterator[Entry], age: int) -> Iterator[tuple[str, int, Canonical | None]]:
    return ((key, age, value) for key, value in generation)


def _present(entries: Iterable[Entry]) -> Iterator[tuple[str, Canonical]]:
    """Without the deleted."""
    return ((key, value) for key, value in entries if value is not None)


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


class _Overwriting:
    """An object store in which what is stored takes the place of anything else of its name."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def put_new(self, key: str, data: bytes) -> bool:
        """Store an object unless it is there to the byte."""
        if self._objects.get(key) == data:
            return False
        self._objects.replace(key, data)
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)
