"""Look at manifests and the runs that they name: each run is read once, whoever names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from blockfold.application.history import check_snapshot
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import retired_prefix
from blockfold.domain.manifest import Manifest, Run
from blockfold.ports import BlockLog, ObjectStore, SnapshotStore


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        key: Object key of what is damaged, missing or unknown; empty if it is no object.
        what: What is wrong.
        repairable: Whether a repair can heal it, if what it takes is left.
    """

    key: str
    what: str
    repairable: bool = True

    def __str__(self) -> str:
        """The key first."""
        said = self.what.removeprefix(self.key).lstrip(": ")
        return f"{self.key}: {said}" if self.key else self.what


@dataclass(slots=True)
class SnapshotEye:
    """Reads manifests and runs, and remembers which runs were sound.

    Attributes:
        log: The blocks, archived ones included.
        snapshots: The snapshots.
        objects: The bucket.
        runs: What is wrong with each run that was read; None if nothing.
    """

    log: BlockLog
    snapshots: SnapshotStore
    objects: ObjectStore
    runs: dict[Run, str | None] = field(default_factory=dict)

    def manifest(self, key: str) -> Manifest:
        """The manifest under a key, held against its block if the log has that.

        Raises:
            Corrupted: It is missing, damaged, of another block, or not as it was written.
        """
        manifest = self.snapshots.open(key)
        if self.objects.get(key) != manifest.to_bytes():
            raise Corrupted(f"{key} is not as it was written")
        if manifest.number > 0:
            try:
                block = self.log.get(manifest.machine, manifest.number)
            except Corrupted:
                block = None  # the block is named by whoever reads the log
            if block is not None:
                check_snapshot(manifest, block)
        return manifest

    def damaged(self, manifest: Manifest, owner: str) -> list[Run]:
        """The runs of a manifest that cannot be read."""
        return [run for run in manifest.runs if self.trouble(run, owner) is not None]

    def trouble(self, run: Run, owner: str) -> str | None:
        """What is wrong with a run; None if it is what a manifest says of it."""
        known = replace(run, generation=0)
        if known not in self.runs:
            try:
                self.snapshots.check(run, owner)
            except Corrupted as error:
                self.runs[known] = error.message
            else:
                self.runs[known] = None
        return self.runs[known]

    def whole(self, manifest: Manifest) -> None:
        """Read a snapshot whole.

        Raises:
            Corrupted: It does not have the rows and the digest that it says.
        """
        for _ in self.snapshots.entries(manifest):
            pass
        self.runs.update((replace(run, generation=0), None) for run in manifest.runs)

    def look(self, key: str) -> Iterator[Finding]:
        """What is wrong with a manifest and the runs that it names.

        A retired copy is not read whole: it only keeps runs for those who opened it before.
        """
        try:
            manifest = self.manifest(key)
        except Corrupted as error:
            yield Finding(key, error.message)
            return
        is_retired = key.startswith(retired_prefix(manifest.machine))
        if not is_retired:
            try:
                self.whole(manifest)
            except Corrupted as error:
                trouble = error.message
            else:
                return
        bad = self.damaged(manifest, key)
        for run in bad:
            yield Finding(run.key, self.trouble(run, key) or "")
        if bad:
            yield Finding(key, f"names {len(bad)} of {len(manifest.runs)} runs that are not sound")
        elif not is_retired:
            yield Finding(key, trouble)

    def seen(self) -> set[str]:
        """Object keys of the runs that were read."""
        return {run.key for run in self.runs}
