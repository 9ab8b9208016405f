"""Who wrote each key last: what the state table says of its rows, from the log alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blockfold.application.history import History, origin_manifest
from blockfold.application.travel import Traveller
from blockfold.domain.block import Block, Head
from blockfold.domain.replay import check_link
from blockfold.ports import BlockLog, Row, SnapshotStore


def last_writers(
    log: BlockLog,
    snapshots: SnapshotStore,
    machine: str,
    number: int,
    progress: Callable[[Block], None],
) -> dict[str, int]:
    """The last block that set or deleted each key, of the blocks up to a number.

    A restore block writes the keys in which the state before it and the one that it brings back
    differ. Holds every key that ever was in memory, but no values.

    Raises:
        Corrupted: A block is missing or damaged.
    """
    writers: dict[str, int] = {}
    traveller = Traveller(log, snapshots)
    head = Head(machine=machine)
    for block in log.read(machine, 1, number):
        check_link(head, block)
        body, head = block.body, block.head
        if body.origin is None:
            writers.update(dict.fromkeys(body.set, block.number))
            writers.update(dict.fromkeys(body.deleted, block.number))
        elif block.number == 1:
            manifest = origin_manifest(snapshots, block)
            writers.update((key, 1) for key, _ in snapshots.entries(manifest))
        else:
            changed = traveller.difference(machine, block.number - 1, block.number)
            for keys in (changed.added, changed.removed, changed.changed):
                writers.update(dict.fromkeys(keys, block.number))
        progress(block)
    History.check_reached(machine, head.number, number)
    return writers


def rows_of(
    log: BlockLog, snapshots: SnapshotStore, machine: str, number: int, writers: dict[str, int]
) -> Iterator[Row]:
    """The rows of the state table right after a block, tombstones included, in key order.

    Raises:
        Corrupted: Log or snapshots are damaged.
    """
    _, entries = Traveller(log, snapshots).entries(machine, number)
    entry = next(entries, None)
    for key in sorted(writers):
        if entry is not None and entry[0] == key:
            yield Row(key, entry[1], writers[key])
            entry = next(entries, None)
        else:
            yield Row(key, None, writers[key])
