"""Look at every object of a machine in the bucket, and name what is wrong with it.

Reads all of it, and changes nothing. What a process that died has left behind is no finding, unless
it is damaged: whoever stores the same again would count on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from blockfold.application.inspect_snapshots import Finding, SnapshotEye
from blockfold.application.kept_settings import FORMAT, Kept
from blockfold.application.lost import REBUILDING
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import (
    archive_prefix,
    bodies_prefix,
    is_run_key,
    machine_prefix,
    manifest_key,
    parse_body_key,
    pinned_prefix,
    recorder_key,
    retired_prefix,
    runs_prefix,
    settings_key,
    settings_prefix,
    snapshots_prefix,
)
from blockfold.domain.manifest import Origin
from blockfold.domain.segments import Segment, begun, gaps
from blockfold.ports import Archive, BlockLog, Bodies, MachineRecord, Machines, ObjectStore

Progress = Callable[[int], None]
"""Told how many objects were looked at."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What holds a machine's objects, seen from several sides.

    Attributes:
        objects: The bucket.
        archive: The segments in it.
        bodies: The large bodies in it.
        live: The Blocks table by itself.
    """

    objects: ObjectStore
    archive: Archive
    bodies: Bodies
    live: BlockLog


@dataclass(slots=True)
class BucketLook:
    """One look at a machine's objects.

    Attributes:
        bucket: What is looked at.
        eye: Reads manifests and runs.
        machines: The register.
        record: What was kept of the machine before.
        hashes: Hashes of blocks that are known, by number.
        origins: What the restore, fork and import blocks name.
        head: The machine's newest block after the objects were listed.
        objects: How many objects were looked at.
        snapshots: How many of them are sound snapshots.
    """

    bucket: Bucket
    eye: SnapshotEye
    machines: Machines
    record: MachineRecord
    hashes: Mapping[int, str]
    origins: tuple[Origin, ...] = ()
    head: int = 0
    objects: int = 0
    snapshots: int = 0

    def findings(self, progress: Progress) -> Iterator[Finding]:
        """Everything that is wrong, manifests before runs."""
        machine = self.record.machine
        objects = self.bucket.objects
        listing = [each.key for each in objects.list(machine_prefix(machine))]
        # Manifests first: they say which runs are read as what.
        listing.sort(key=lambda key: (key.startswith(runs_prefix(machine)), key))
        self.head = top(self.bucket.live, self.record)
        told: set[Finding] = set()
        for key in listing:
            for finding in self._look(key):
                is_gone = finding.key == key and objects.stat(key) is None
                if finding not in told and not is_gone:  # a pruner may run meanwhile
                    yield finding
                told.add(finding)
            self.objects += 1
            progress(1)
        for finding in self._missing(set(listing)):
            if finding not in told:
                yield finding
            told.add(finding)

    # -- what is there -------------------------------------------------------------------------

    def _look(self, key: str) -> Iterator[Finding]:
        machine = self.record.machine
        looks: dict[str, Callable[[str], Iterator[Finding]]] = {
            snapshots_prefix(machine): self._manifest,
            pinned_prefix(machine): self._manifest,
            retired_prefix(machine): self._manifest,
            runs_prefix(machine): self._run,
            archive_prefix(machine): self._segment,
            bodies_prefix(machine): self._body,
            settings_prefix(machine): self._settings,
        }
        folder = key[: key.rfind("/") + 1]
        if folder in looks:
            yield from looks[folder](key)
        elif key != recorder_key(machine):  # what a recorder wrote before a stack took over
            yield _unknown(key)

    def _manifest(self, key: str) -> Iterator[Finding]:
        stem, _, kind = key.rpartition("/")[2].partition(".")
        number, _, rest = stem.partition("-")
        plain = key.startswith(snapshots_prefix(self.record.machine))
        if kind != "json" or not number.isdigit() or plain == bool(rest):
            yield _unknown(key)
            return
        if plain and int(number) > self.head:
            what = f"snapshot {int(number)} is of no block"
            yield Finding(key, what, repairable=False)
        found = list(self.eye.look(key))
        yield from found
        self.snapshots += plain and not found

    def _run(self, key: str) -> Iterator[Finding]:
        if key in self.eye.seen():
            return
        name = key.rpartition("/")[2][:64]
        if not is_run_key(key, name) or len(name) != sha256().digest_size * 2:
            yield _unknown(key)
            return
        data = self.bucket.objects.get(key)
        if data is not None and sha256(data).hexdigest() != name:
            yield Finding(key, "a leftover that no manifest names, and damaged")

    def _segment(self, key: str) -> Iterator[Finding]:
        segment = Segment.named(self.record.machine, key)
        if segment is None:
            yield _unknown(key)
            return
        try:
            for _ in self.bucket.archive.read(segment):
                pass
        except Corrupted as error:
            yield Finding(key, error.message)
            return
        hash_ = self.hashes.get(segment.last)
        if hash_ is not None and hash_ != segment.hash and not self._is_stale(segment):
            what = f"ends with another block {segment.last} than the log's"
            yield Finding(key, what, repairable=False)

    def _is_stale(self, segment: Segment) -> bool:
        """Whether a later epoch began at or below its last block."""
        begins = begun(self.bucket.archive.segments(self.record.machine))
        return any(
            epoch > segment.epoch and begin <= segment.last for epoch, begin in begins.items()
        )

    def _body(self, key: str) -> Iterator[Finding]:
        parsed = parse_body_key(key)
        if parsed is None:
            yield _unknown(key)
            return
        try:
            self.bucket.bodies.check(key)
        except Corrupted as error:
            yield Finding(key, error.message)

    def _settings(self, key: str) -> Iterator[Finding]:
        if (trouble := settings_trouble(self.bucket.objects, self.record, key)) is not None:
            yield Finding(key, trouble)

    # -- what is not there ---------------------------------------------------------------------

    def _missing(self, there: set[str]) -> Iterator[Finding]:
        record = self.record
        machine = record.machine
        thinned = (self.machines.get(machine) or record).thinned
        for number in record.schedule.due_between(thinned + 1, record.dumped):
            if (key := manifest_key(machine, number)) not in there:
                yield Finding(key, f"the snapshot of block {number}, which was due, is missing")
        for origin in self.origins:
            if origin.manifest not in there:
                if self.bucket.objects.stat(origin.manifest) is None:
                    yield Finding(origin.manifest, "a block names it, and it is missing")
                else:
                    yield from self.eye.look(origin.manifest)
        segments = self.bucket.archive.segments(machine)
        for first, last in gaps(segments, 1, record.archived):
            key = archive_prefix(machine)
            yield Finding(key, f"blocks {first} to {last}, which were archived, are in no segment")
        key = settings_key(machine, record.revision)
        if (record.revision or record.archived) and key not in there:
            yield Finding(key, "the copy of the settings is missing")
        for number, error in broken_blocks(self.bucket.live, machine, record.pruned + 1, self.head):
            yield Finding("", f"block {number}: {error.message}")


def top(live: BlockLog, record: MachineRecord) -> int:
    """The number of a machine's newest block, also if that cannot be read."""
    try:
        newest = live.head(record.machine)
    except Corrupted:
        flushed = 0 if record.flushed >= REBUILDING else record.flushed
        number = max(flushed, record.archived)
        while _holds(live, record.machine, number + 1):
            number += 1
        return number
    return newest.number if newest else 0


def _holds(live: BlockLog, machine: str, number: int) -> bool:
    try:
        return live.get(machine, number) is not None
    except Corrupted:
        return True


def broken_blocks(
    live: BlockLog, machine: str, first: int, last: int
) -> Iterator[tuple[int, Corrupted]]:
    """The blocks of the table that cannot be read, by number, and why."""
    position = first
    while position <= last:
        try:
            for block in live.read(machine, position, last):
                position = block.number + 1
        except Corrupted:
            while position <= last:
                position += 1
                try:
                    if live.get(machine, position - 1) is not None:
                        continue  # asked one by one: a page of the table fails as a whole
                except Corrupted as error:
                    yield position - 1, error
                    break
        else:
            return


def settings_trouble(objects: ObjectStore, record: MachineRecord, key: str) -> str | None:
    """What is wrong with a copy of a machine's settings; None if nothing."""
    data = objects.get(key) or b""
    try:
        kept = msgspec.json.decode(data, type=Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"holds no settings: {error}"
    if kept.format != FORMAT or settings_key(kept.machine, kept.revision) != key:
        return "holds settings of another machine, revision or format"
    told = (kept.schedule, kept.retention)
    if kept.revision == record.revision and told != (record.schedule.settings, record.retention):
        return "holds other settings than the machine has"
    return None


def _unknown(key: str) -> Finding:
    return Finding(key, "nothing has such a name", repairable=False)
