"""Prove that what is stored agrees: hash chain, digests, snapshots, and log against table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blockfold.application.history import Replica, check_snapshot
from blockfold.domain import digest
from blockfold.domain.block import Block, Head
from blockfold.domain.errors import Corrupted, NotFound
from blockfold.domain.replay import folded_total
from blockfold.ports import BlockLog, MachineRecord, Machines, Row, SnapshotStore, StateTable

MAX_FINDINGS = 20


@dataclass(slots=True)
class Verification:
    """What a verification saw.

    Attributes:
        machine: The machine's id.
        blocks: Blocks checked.
        actions: Actions in them.
        keys: Rows of the state table compared.
        snapshots: Snapshots read whole.
        digest: The state digest at the head.
        findings: What disagrees, at most `MAX_FINDINGS`; empty if all is well.
    """

    machine: str
    blocks: int = 0
    actions: int = 0
    keys: int = 0
    snapshots: int = 0
    digest: str = ""
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.findings

    def find(self, *findings: str) -> None:
        """Note what disagrees, as far as there is room."""
        self.findings += findings[: MAX_FINDINGS - len(self.findings)]


def ignore(_block: Block) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks a machine's stores against each other; changes nothing, may run beside writers.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore

    def verify(self, machine: str, progress: Callable[[Block], None] = ignore) -> Verification:
        """Fold the whole log from block 1, and hold snapshots and state table against it.

        Args:
            machine: The machine's id.
            progress: Told each block that was checked.

        Raises:
            NotFound: There is no such machine.
            Unavailable: A store could not be read.
        """
        result = Verification(machine)
        record = self.machines.get(machine)
        rows = list(self.table.scan(machine))
        if record is None and not rows and self.log.head(machine) is None:
            raise NotFound(f"there is no machine {machine!r}", hint="see `blockfold machines`")
        record = record or MachineRecord(machine)
        replica = Replica(Head(machine=machine), {}, self.snapshots)
        writers: dict[str, int] = {}
        taken = set(self.snapshots.numbers(machine))
        try:
            for block in self.log.read(machine, 1):
                _advance(replica, writers, block)
                if block.number in taken:
                    self._check_snapshot(block, result)
                result.blocks += 1
                result.actions += block.actions
                progress(block)
        except Corrupted as error:
            result.find(str(error))
            return result
        head = replica.head
        result.digest = head.digest
        if record.flushed > head.number:
            result.find(
                f"the log ends at block {head.number}, but the state table holds block "
                f"{record.flushed}"
            )
        result.find(
            *(
                f"snapshot {number} is of no block"
                for number in sorted(taken)
                if number > head.number
            )
        )
        result.find(
            *(
                f"the snapshot of block {number}, which was due, is missing"
                for number in record.schedule.due_between(record.thinned + 1, record.dumped)
                if number not in taken
            )
        )
        result.keys = len(rows)
        result.find(*_compare(rows, replica, writers, record.flushed))
        return result

    def _check_snapshot(self, block: Block, result: Verification) -> None:
        """Read a snapshot whole; its own sum proves its content, so it need not be compared."""
        try:
            manifest = self.snapshots.get(block.machine, block.number)
            if manifest is None:
                raise Corrupted(f"the snapshot of block {block.number} is missing")
            check_snapshot(manifest, block)
            for _ in self.snapshots.entries(manifest):
                pass
        except Corrupted as error:
            result.find(str(error))
        else:
            result.snapshots += 1


def _advance(replica: Replica, writers: dict[str, int], block: Block) -> None:
    """Check a block's link, changes and digest, and note who wrote each key last."""
    if block.body.origin is None:
        total = folded_total(replica.entries, replica.head.total, block)
        replica.advance(block)
        writers.update(dict.fromkeys(block.body.changes, block.number))
    else:
        before = replica.entries
        replica.advance(block)
        total = digest.sum_of(replica.entries.items())
        writers.update(
            (key, block.number)
            for key in before.keys() | replica.entries.keys()
            if before.get(key) != replica.entries.get(key)
        )
    if total != block.total:
        raise Corrupted(
            f"block {block.number} of machine {block.machine!r}: its changes lead to digest "
            f"{digest.digest_of(total)}, it says {block.header.digest}"
        )
    if len(replica.entries) != block.header.keys:
        raise Corrupted(
            f"block {block.number} of machine {block.machine!r}: its changes lead to "
            f"{len(replica.entries)} keys, it says {block.header.keys}"
        )


def _compare(rows: list[Row], replica: Replica, writers: dict[str, int], flushed: int) -> list[str]:
    """Rows against the fold; a key last written after ``flushed`` may still be on its way."""
    findings: list[str] = []
    entries = replica.entries
    seen = {row.key for row in rows}
    for row in rows:
        writer = writers.get(row.key)
        if writer is None:
            findings.append(f"key {row.key!r} stands in the state table but in no block")
        elif row.block == writer and row.value != entries.get(row.key):
            findings.append(f"key {row.key!r} has another value than block {writer} gave it")
        elif row.block > writer or (row.block < writer <= flushed):
            findings.append(
                f"key {row.key!r} comes from block {row.block}, last written by block {writer}"
            )
    findings += [
        f"key {key!r} of block {writers[key]} is missing in the state table"
        for key in entries.keys() - seen
        if writers[key] <= flushed
    ]
    return sorted(findings)
