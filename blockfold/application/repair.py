"""Repair: make whole again what stands in the bucket, from log, archive and sound snapshots.

The order matters: segments are healed from the table, bodies of large blocks from segments, then
the log is as whole as it can be, and snapshots are made from it. At the end everything is verified,
so what a repair does not name is right.

May run beside executors, dumpers and pruners: it writes only where something is damaged or missing,
and the same as would stand there otherwise. It deletes only what is damaged and needed by nobody.

What happens if the process dies after any call: an object is whole or still damaged, a run that was
written for a manifest is named or garbage. The next repair finds what is still damaged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blockfold.application.inspect_bucket import Bucket, settings_trouble, top
from blockfold.application.inspect_snapshots import SnapshotEye
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.repair_blocks import BlockRepair
from blockfold.application.repair_snapshots import SnapshotRepair
from blockfold.application.repaired import Repaired
from blockfold.application.verify import Verifier
from blockfold.domain.errors import NotFound
from blockfold.domain.keys import settings_key, settings_prefix
from blockfold.ports import BlockLog, Clock, Machines, SnapshotStore, StateTable

ADVICE = "`blockfold verify` says the same; docs/repair.md says what can be done by hand"


def ignore(_step: str) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Repairer:
    """Heals one machine's objects.

    Attributes:
        bucket: The bucket, and the Blocks table by itself.
        log: The same table with the archive behind it.
        table: The state table; only read.
        machines: The register; only read.
        snapshots: The snapshots.
        clock: Time.
    """

    bucket: Bucket
    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock

    def repair(self, machine: str, progress: Callable[[str], None] = ignore) -> Repaired:
        """Heal what can be healed. Idempotent.

        Args:
            machine: The machine's id.
            progress: Told the name of each step that begins.

        Raises:
            NotFound: There is no such machine in the register.
            Unavailable: A store failed; repair again.
        """
        record = self.machines.get(machine)
        if record is None:
            raise NotFound(
                f"there is no machine {machine!r}",
                hint="if its tables are lost, `blockfold rebuild` puts them back first",
            )
        done = Repaired(machine)
        number = top(self.bucket.live, record)
        blocks = BlockRepair(self.bucket, self.clock, record, number, done)
        progress("archive")
        blocks.archive()
        progress("bodies")
        blocks.bodies()
        progress("settings")
        self._settings(machine, done)
        progress("snapshots")
        objects = self.bucket.objects
        eye = SnapshotEye(self.log, self.snapshots, objects)
        SnapshotRepair(self.log, self.snapshots, objects, record, number, done, eye).run()
        progress("verify")
        self._prove(machine, done)
        return done

    def _settings(self, machine: str, done: Repaired) -> None:
        """Keep the settings of this revision again, and drop older copies that are damaged."""
        record = self.machines.get(machine)
        if record is None:
            return
        objects, current = self.bucket.objects, settings_key(machine, record.revision)
        for each in list(objects.list(settings_prefix(machine))):
            if each.key != current and settings_trouble(objects, record, each.key) is not None:
                objects.delete([each.key])
                done.heal(each.key, "deleted: a damaged copy of older settings")
        is_kept = objects.stat(current) is not None
        if is_kept and settings_trouble(objects, record, current) is None:
            return
        if is_kept or record.revision or record.archived:
            KeptSettings(objects).keep(record)
            done.heal(current, "written again from the Machines table")

    def _prove(self, machine: str, done: Repaired) -> None:
        """Verify everything; what is still wrong is lost."""
        verifier = Verifier(self.log, self.table, self.machines, self.snapshots, self.bucket)
        told = {lost.key for lost in done.lost}
        for finding in verifier.verify(machine).found:
            if finding.key not in told or not finding.key:
                done.lose(finding.key, finding.what, ADVICE)
