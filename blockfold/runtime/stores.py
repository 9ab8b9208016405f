"""The stores of one machine in one process, and the use cases on them: a stack without AWS."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines, MemoryStateTable
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.dump import Dumper
from blockfold.application.execute import Executor
from blockfold.application.history import History
from blockfold.application.import_state import Importer
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.read import Reader
from blockfold.application.restore import Restorer
from blockfold.application.travel import Traveller
from blockfold.domain.apply import Guard
from blockfold.domain.errors import Corrupted
from blockfold.domain.limits import Limits
from blockfold.domain.machine import Machine
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    Machines,
    ObjectStore,
    SnapshotStore,
    StateTable,
)

logger = logging.getLogger("blockfold.runtime")


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where one machine is kept while it runs as a plain object.

    Attributes:
        machine: The machine's id.
        live: The blocks since the machine was started, and the one before them.
        log: The same with all that was recorded before.
        table: The state table.
        machines: The register.
        objects: Where snapshots and pinned manifests stand.
        snapshots: The snapshots.
        archive: What was recorded before; None if the recorder keeps no log.
        clock: Time.
    """

    machine: str
    live: MemoryBlockLog
    log: BlockLog
    table: StateTable
    machines: Machines
    objects: ObjectStore
    snapshots: SnapshotStore
    archive: Archive | None
    clock: Clock

    @classmethod
    def new(cls, machine: str, objects: ObjectStore, clock: Clock, *, archived: bool) -> Stores:
        """Empty stores.

        Args:
            machine: The machine's id.
            objects: Where snapshots stand.
            clock: Time.
            archived: Blocks are archived there, too.
        """
        live = MemoryBlockLog()
        archive = ObjectArchive(objects) if archived else None
        return cls(
            machine=machine,
            live=live,
            log=ArchivedBlockLog(live, archive, monotonic=clock.monotonic) if archive else live,
            table=MemoryStateTable(),
            machines=MemoryMachines(),
            objects=objects,
            snapshots=ObjectSnapshots(objects, now=clock.now),
            archive=archive,
            clock=clock,
        )

    # -- use cases -----------------------------------------------------------------------------

    def executor(self, code: Machine, limits: Limits, guard: Guard) -> Executor:
        """What folds messages."""
        return Executor(
            machine=code,
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self.snapshots,
            clock=self.clock,
            guard=guard,
            limits=limits,
        )

    def dumper(self) -> Dumper:
        """What makes snapshots. Its settings are kept where the log is."""
        kept = KeptSettings(self.objects) if self.archive is not None else None
        ports = (self.log, self.machines, self.snapshots, self.clock)
        return Dumper(*ports, kept, log_damage)

    def restorer(self) -> Restorer:
        """What brings old states back."""
        record = self.machines.get(self.machine)
        assert record is not None, "it was registered when it was started"
        return Restorer(
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self.snapshots,
            clock=self.clock,
            schedule=record.schedule,
        )

    def importer(self) -> Importer:
        """What takes a state from elsewhere."""
        return Importer(self.log, self.snapshots)

    def reader(self) -> Reader:
        """What reads."""
        return Reader(self.log, self.table, self.machines, self.snapshots)

    def traveller(self) -> Traveller:
        """What reads parts of the past."""
        return Traveller(self.log, self.snapshots)

    def history(self) -> History:
        """What reads whole states of the past."""
        return History(self.log, self.snapshots)

    @property
    def head(self) -> int:
        """The newest block; 0 before the first."""
        newest = self.live.head(self.machine)
        return newest.number if newest else 0


def log_damage(error: Corrupted) -> None:
    """Write a damaged manifest, beside which work goes on, into the log."""
    logger.warning("a damaged snapshot was passed over: %s", error)
