"""Read the past without building whole states: some keys, a difference, or a stream in key order.

Nothing here runs user code, so old history reads right under new code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from os.path import commonprefix

from blockfold.application.history import History, origin_manifest
from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.manifest import Manifest
from blockfold.domain.replay import check_link
from blockfold.domain.state import Changes
from blockfold.ports import BlockLog, SnapshotStore

FIRST_WINDOW = 4
LAST_WINDOW = 32
"""Blocks read at once when going backwards: few, because each may hold megabytes."""

FEW_KEYS = 4
"""Up to so many keys are looked up in a snapshot one by one; more are found by one pass."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What two states of a machine do not have in common, values as canonical bytes.

    Attributes:
        added: Keys that only the second has.
        removed: Keys that only the first has.
        changed: Keys that both have, with the value in the first and in the second.
    """

    added: dict[str, Canonical]
    removed: dict[str, Canonical]
    changed: dict[str, tuple[Canonical, Canonical]]


@dataclass(frozen=True, slots=True)
class Traveller:
    """Reads parts of the past. Numbers are taken as they come: the caller checked them.

    Attributes:
        log: The blocks.
        snapshots: The snapshots.
    """

    log: BlockLog
    snapshots: SnapshotStore

    def values(self, machine: str, keys: Collection[str], number: int) -> dict[str, Canonical]:
        """The values that keys had right after a block; keys that were not there are left out.

        Looks through the blocks newest first, back to the newest snapshot, and asks that one
        only for what they did not tell.

        Raises:
            Corrupted: Log or snapshot are damaged.
        """
        wanted = set(keys)
        found: dict[str, Canonical] = {}
        manifest = History(self.log, self.snapshots).manifest(machine, number)
        after = manifest.number if manifest else 0
        for block in self.newest_first(machine, after + 1, number):
            if not wanted:
                break
            if block.body.origin is not None:
                manifest = origin_manifest(self.snapshots, block)
                break
            for key, value in block.body.changes.items():
                if key in wanted:
                    wanted.discard(key)
                    if value is not None:
                        found[key] = value
        if manifest is not None and wanted:
            found.update(snapshot_values(self.snapshots, manifest, wanted))
        return found

    def entries(
        self, machine: str, number: int, prefix: str = ""
    ) -> tuple[Head, Iterator[tuple[str, Canonical]]]:
        """The entries right after a block whose key starts with the prefix, in key order.

        Holds in memory what changed since the newest snapshot, and streams the rest.

        Returns:
            The block as a head, and the entries; reading them may raise `Corrupted`, too.

        Raises:
            Corrupted: Log or snapshot are damaged.
        """
        history = History(self.log, self.snapshots)
        delta = history.since(machine, number)
        history.forward(delta, number)
        below: Iterator[tuple[str, Canonical]] = iter(())
        if delta.base is not None:
            below = snapshot_entries(self.snapshots, delta.base, prefix)
        return delta.head, overlaid(below, delta.changes, prefix)

    def difference(self, machine: str, old: int, new: int) -> Difference:
        """What changed between two blocks, in either direction: as much work as there are changes.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        keys = self.touched(machine, old, new)
        before = self.values(machine, keys, old)
        after = self.values(machine, keys, new)
        return Difference(
            added={key: after[key] for key in sorted(after.keys() - before.keys())},
            removed={key: before[key] for key in sorted(before.keys() - after.keys())},
            changed={
                key: (before[key], after[key])
                for key in sorted(after.keys() & before.keys())
                if before[key] != after[key]
            },
        )

    def touched(self, machine: str, one: int, other: int) -> set[str]:
        """Keys that may differ between two blocks; every key that does is among them.

        A restore block on the way says that the state after it is an older block's: what
        counts before it is then the way from there.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        keys: set[str] = set()
        low, high = sorted((one, other))
        while low < high:
            older = low
            for block in self.newest_first(machine, low + 1, high):
                origin = block.body.origin
                if origin is None:
                    keys.update(block.body.changes)
                    continue
                if origin.machine != machine:
                    manifest = origin_manifest(self.snapshots, block)
                    keys.update(key for key, _ in self.snapshots.entries(manifest))
                else:
                    older = origin.number
                break
            low, high = sorted((low, older))
        return keys

    def newest_first(self, machine: str, first: int, last: int) -> Iterator[Block]:
        """Blocks ``last`` … ``first``, each held against the one that follows it.

        Raises:
            Corrupted: One is missing, or another than its successor says.
        """
        size = FIRST_WINDOW
        above: Block | None = None
        while last >= first:
            start = max(first, last - size + 1)
            window = list(self.log.read(machine, start, last))
            if [block.number for block in window] != list(range(start, last + 1)):
                raise Corrupted(
                    f"the log of machine {machine!r} lacks a block from {start} to {last}",
                    hint="`blockfold verify` names the first that is missing",
                )
            for block in reversed(window):
                if above is not None:
                    check_link(block.head, above)
                yield block
                above = block
            last, size = start - 1, min(size * 2, LAST_WINDOW)


def overlaid(
    below: Iterator[tuple[str, Canonical]], changes: Changes, prefix: str = ""
) -> Iterator[tuple[str, Canonical]]:
    """Entries with changes laid over them, as a stream in key order.

    Args:
        below: Entries in key order, all with the prefix.
        changes: What was set (or deleted: None) since.
        prefix: Which changes count.
    """
    ours = (
        (key, value)
        for key, value in sorted(changes.items(), key=itemgetter(0))
        if value is not None and key.startswith(prefix)
    )
    theirs = (entry for entry in below if entry[0] not in changes)
    return merge(ours, theirs, key=itemgetter(0))


def snapshot_values(
    snapshots: SnapshotStore, manifest: Manifest, keys: Collection[str]
) -> dict[str, Canonical]:
    """The values of those keys that stand in a snapshot.

    Raises:
        Corrupted: A run is missing, damaged, or not what the manifest says.
    """
    if len(keys) <= FEW_KEYS:
        each = ((key, snapshots.value(manifest, key)) for key in sorted(keys))
        return {key: value for key, value in each if value is not None}
    some = set(keys)
    prefix = commonprefix(list(some))  # noqa: RUF071 - keys are no paths
    entries = snapshots.scan(manifest, prefix)
    return {key: value for key, value in entries if key in some}


def snapshot_entries(
    snapshots: SnapshotStore, manifest: Manifest, prefix: str
) -> Iterator[tuple[str, Canonical]]:
    """The entries in a snapshot whose key starts with the prefix, in key order."""
    return snapshots.scan(manifest, prefix) if prefix else snapshots.entries(manifest)
