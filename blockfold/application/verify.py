"""Prove that what is stored agrees: hash chain, digests, log against table, the whole bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blockfold.application.counter_rows import CounterCheck
from blockfold.application.counters import partition_of
from blockfold.application.history import Replica, check_snapshot
from blockfold.application.inspect_bucket import Bucket, BucketLook
from blockfold.application.inspect_snapshots import Finding, SnapshotEye
from blockfold.domain import digest
from blockfold.domain.block import Block, Head
from blockfold.domain.errors import Corrupted, NotFound
from blockfold.domain.keys import manifest_key
from blockfold.domain.manifest import Origin
from blockfold.domain.replay import folded_total
from blockfold.ports import BlockLog, MachineRecord, Machines, Row, SnapshotStore, StateTable

MAX_FINDINGS = 20
"""How many are printed."""


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
        objects: Objects of the bucket looked at.
        found: All that is wrong; empty if all is well.
    """

    machine: str
    blocks: int = 0
    actions: int = 0
    keys: int = 0
    snapshots: int = 0
    digest: str = ""
    objects: int = 0
    found: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.found

    @property
    def findings(self) -> list[str]:
        """What is wrong in words, at most `MAX_FINDINGS`."""
        return [finding.what for finding in self.found[:MAX_FINDINGS]]

    def find(self, *findings: str) -> None:
        """Note what disagrees, other than an object."""
        self.found += (Finding("", finding, repairable=False) for finding in findings)


def ignore(_what: object) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks a machine's stores against each other; changes nothing, may run beside writers.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
        bucket: What else stands in the bucket; None looks at snapshots alone.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    bucket: Bucket | None = None

    def verify(
        self,
        machine: str,
        progress: Callable[[Block], None] = ignore,
        looked: Callable[[int], None] = ignore,
    ) -> Verification:
        """Fold the whole log from block 1, hold snapshots and table against it, read the bucket.

        Args:
            machine: The machine's id.
            progress: Told each block that was checked.
            looked: Told how many objects of the bucket were looked at.

        Raises:
            NotFound: There is no such machine.
            Unavailable: A store could not be read.
        """
        result = Verification(machine)
        record = self.machines.get(machine)
        rows = list(self.table.scan(machine))
        counters = list(self.table.scan(partition_of(machine)))
        if record is None and not rows and not self._has_blocks(machine):
            raise NotFound(f"there is no machine {machine!r}", hint="see `blockfold machines`")
        record = record or MachineRecord(machine)
        check = CounterCheck(counters, record.flushed)
        fold = _Fold(Replica(Head(machine=machine), {}, self.snapshots), check)
        if self.bucket is not None:
            fold.ends = {segment.last for segment in self.bucket.archive.segments(machine)}
        taken = set(self.snapshots.numbers(machine)) if self.bucket is None else set()
        try:
            for block in self.log.read(machine, 1):
                fold.advance(block)
                if block.number in taken:
                    self._check_snapshot(block, result)
                result.blocks += 1
                result.actions += block.actions
                progress(block)
        except Corrupted as error:
            result.find(str(error))
        else:
            self._compare(record, rows, fold, result)
            if self.bucket is None:
                _find_missing(record, taken, fold.replica.head.number, result)
        if self.bucket is not None:
            eye = SnapshotEye(self.log, self.snapshots, self.bucket.objects)
            origins = tuple(fold.origins)
            look = BucketLook(self.bucket, eye, self.machines, record, fold.hashes, origins)
            result.found += look.findings(looked)
            result.snapshots, result.objects = look.snapshots, look.objects
        return result

    def _has_blocks(self, machine: str) -> bool:
        try:
            return self.log.head(machine) is not None
        except Corrupted:
            return True

    def _compare(
        self, record: MachineRecord, rows: list[Row], fold: _Fold, result: Verification
    ) -> None:
        """Hold the state table against what the log says."""
        head = fold.replica.head
        result.digest = head.digest
        if record.flushed > head.number:
            result.find(
                f"the log ends at block {head.number}, but the state table holds block "
                f"{record.flushed}"
            )
        result.keys = len(rows)
        result.find(*_compare(rows, fold.replica, fold.writers, record.flushed))
        result.find(*fold.counters.findings())

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


@dataclass(slots=True)
class _Fold:
    """The log as far as it was folded.

    Attributes:
        replica: The state.
        counters: Holds the counters of producers against it.
        writers: Who wrote each key last.
        ends: Blocks whose hash is to be noted.
        hashes: Those hashes.
        origins: What restore, fork and import blocks name.
    """

    replica: Replica
    counters: CounterCheck
    writers: dict[str, int] = field(default_factory=dict)
    ends: set[int] = field(default_factory=set)
    hashes: dict[int, str] = field(default_factory=dict)
    origins: list[Origin] = field(default_factory=list)

    def advance(self, block: Block) -> None:
        """Go on by one block, checked.

        Raises:
            Corrupted: It does not follow, or its changes do not lead to its digest.
        """
        if block.body.origin is not None:
            self.origins.append(block.body.origin)
        _advance(self.replica, self.writers, block)
        self.counters.note(block)
        if block.number in self.ends:
            self.hashes[block.number] = block.hash


def _find_missing(record: MachineRecord, taken: set[int], head: int, result: Verification) -> None:
    """Snapshots of no block, and those that were due and are not there."""
    for number in sorted(each for each in taken if each > head):
        key = manifest_key(record.machine, number)
        result.found.append(Finding(key, f"snapshot {number} is of no block", repairable=False))
    for number in record.schedule.due_between(record.thinned + 1, record.dumped):
        if number not in taken:
            key = manifest_key(record.machine, number)
            what = f"the snapshot of block {number}, which was due, is missing"
            result.found.append(Finding(key, what))


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
