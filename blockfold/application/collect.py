"""Garbage in the bucket: what no snapshot, no block and no fork names any more.

Runs are shared: by the snapshots of a machine, and by its forks, which name them through a pinned
manifest of this machine. A run is deleted if it is older than a day and no manifest names it: no
snapshot, nothing pinned, nothing that was removed in the last day.

Why that is safe beside dumps, restores and other collectors, however they interleave, as long as
each of them lives less than eight hours (Lambda ends them after 15 minutes):

- A run that a dump stores, or finds stored and uses, has the current half-day in its name, so it
  is younger than a day until the manifest that names it is there.
- The other runs of a new manifest are those of its base. The base was read while it was a snapshot
  or pinned; if it was removed since, its copy names them for a day.
- Manifests are looked at after the candidates were listed, in the order in which they are copied
  (snapshots, pinned, removed), so one that moves is seen in one place or the other. They are looked
  at again right before the deletion.
- The name of a deleted run never comes again, for its half-day is over. So a collector that was
  suspended between its look and its deletion, even while another one collected the same and a dump
  wrote the same content anew, deletes nothing that is named.
- A look that has no time for all manifests says so, and then no run is deleted.

What happens if the process dies: what was deleted was garbage, and the rest is found next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from blockfold.application.side_by_side import side_by_side
from blockfold.domain.errors import Corrupted, Unavailable
from blockfold.domain.keys import (
    bodies_prefix,
    manifest_key,
    parse_body_key,
    runs_prefix,
    snapshots_prefix,
)
from blockfold.domain.manifest import Manifest
from blockfold.domain.retention import DAY
from blockfold.ports import BlockLog, MachineRecord, ObjectStore, SnapshotStore, Stored

GARBAGE_AGE = DAY * 1000
"""Milliseconds that an object is left alone, whoever may still be about to name it."""

BODIES_LOOKED_AT = 4 * DAY * 1000
"""Milliseconds of age up to which each body is held against its block. What a lost race for a
number left is found then; later, only bodies of blocks that may have left the table are looked at.
"""

LOOKS = 5
"""How often to look again because a manifest went away between being listed and being read."""

READERS = 16
"""Manifests that are read at once: kilobytes each. A request takes 30 ms, most of it waiting."""


def _always() -> bool:
    """There is time."""
    return True


@dataclass(slots=True)
class Named:
    """What the manifests of a machine name, as far as they were looked at.

    Attributes:
        manifests: Their object keys.
        runs: The object keys of the runs that they name.
        times: Block time of each snapshot by its number, milliseconds since 1970 UTC.
        listed: Numbers of the snapshots, those that were not read among them, lowest first.
        whole: Whether all manifests were read. If not, a run that none of these names may be
            named by another one.
    """

    manifests: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    times: dict[int, int] = field(default_factory=dict)
    listed: list[int] = field(default_factory=list)
    whole: bool = False
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def note(self, key: str, manifest: Manifest) -> None:
        """Note what a manifest names. Threads may do so at once."""
        with self._lock:
            self.manifests.add(key)
            self.runs.update(run.key for run in manifest.runs)
            if key == manifest_key(manifest.machine, manifest.number):
                self.times[manifest.number] = manifest.time


def look(
    snapshots: SnapshotStore,
    objects: ObjectStore,
    machine: str,
    named: Named | None = None,
    *,
    in_time: Callable[[], bool] = _always,
    readers: int = READERS,
) -> Named:
    """What the manifests of a machine name; reads those that were not seen before.

    Several are read at once, the newest snapshots first, and no more are held than that. If time
    runs out before all were read, it is not ``whole``.

    Args:
        snapshots: The snapshots.
        objects: Where they stand.
        machine: The machine's id.
        named: What was seen before; it is added to.
        in_time: Whether there is time to read another one.
        readers: How many are read at once.

    Raises:
        Corrupted: A manifest is damaged, so nobody knows what it names.
        Unavailable: Manifests go away faster than they are read.
    """
    named = Named() if named is None else named
    named.whole = False
    for _ in range(LOOKS):
        keys = snapshots.roots(machine)
        numbers = {
            number: key for key in keys if (number := _snapshot_in(machine, key)) is not None
        }
        named.listed = sorted(numbers)
        newest_first = [numbers[number] for number in reversed(named.listed)]
        others = [key for key in keys if _snapshot_in(machine, key) is None]
        unseen = [key for key in (*newest_first, *others) if key not in named.manifests]
        gone: list[str] = []
        read = partial(_read, snapshots, objects, named, gone)
        if not side_by_side(unseen, read, in_time, lanes=readers):
            return named
        if not gone:
            named.whole = True
            return named
    raise Unavailable(
        f"the snapshots of machine {machine!r} change while they are read: {gone[0]} is gone",
        hint="someone else is pruning it: try again later",
    )


def _snapshot_in(machine: str, key: str) -> int | None:
    """The block in the key of a snapshot; None if the key is none's."""
    stem = key.removeprefix(snapshots_prefix(machine)).removesuffix(".json")
    number = int(stem) if stem.isascii() and stem.isdigit() else 0
    return number if key == manifest_key(machine, number) else None


def _read(
    snapshots: SnapshotStore, objects: ObjectStore, named: Named, gone: list[str], key: str
) -> None:
    """Note what a manifest names, or that it is not there any more."""
    try:
        manifest = snapshots.open(key)
    except Corrupted as error:
        if objects.stat(key) is None:
            gone.append(key)
            return
        raise Corrupted(
            f"nothing is removed, because a manifest is damaged: {error.message}",
            hint="`blockfold verify` tells more; delete that object, then dump its block again",
        ) from error
    named.note(key, manifest)


def old_runs(objects: ObjectStore, machine: str, now: int) -> list[Stored]:
    """The runs of a machine that are old enough to be garbage."""
    return [each for each in objects.list(runs_prefix(machine)) if is_old(each.modified, now)]


def dead_bodies(
    log: BlockLog,
    objects: ObjectStore,
    record: MachineRecord,
    head: int,
    now: int,
    *,
    all_: bool,
    in_time: Callable[[], bool] = _always,
) -> Iterator[Stored]:
    """Bodies of large blocks that no block needs.

    Those whose number another block holds, and those of blocks that were let go and have left the
    table: segments hold the bodies, too. That a number was taken once is true for ever, so nobody
    can come to need such a body. One above the head may be about to be named.

    Args:
        log: The table alone, without the archive.
        objects: Where the bodies stand.
        record: The machine.
        head: Its newest block.
        now: Milliseconds since 1970 UTC.
        all_: Look at all of them, not only those where something may have changed.
        in_time: Whether there is time to look at another one.
    """
    for each in objects.list(bodies_prefix(record.machine)):
        parsed = parse_body_key(each.key)
        if parsed is None or parsed[0] > head or not is_old(each.modified, now):
            continue
        number, sha256 = parsed
        pruned = number <= min(record.pruned, record.archived)
        if not (all_ or pruned or each.modified > now - BODIES_LOOKED_AT):
            continue
        if not in_time():
            return
        try:
            block = log.get(record.machine, number)
        except Corrupted:
            continue  # `verify` names it; nothing that may belong to it is deleted
        if pruned if block is None else block.header.body != sha256:
            yield each


def is_old(modified: int, now: int) -> bool:
    """Whether an object stands for longer than a day; milliseconds since 1970 UTC."""
    return modified <= now - GARBAGE_AGE
