"""Prove that what is stored agrees with itself: hash chain, digests, and log against table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blockfold.domain import digest
from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted, NotFound
from blockfold.domain.replay import check_link, fold, folded_total
from blockfold.ports import BlockLog, Machines, Row, StateTable

MAX_FINDINGS = 20


@dataclass(slots=True)
class Verification:
    """What a verification saw.

    Attributes:
        machine: The machine's id.
        blocks: Blocks checked.
        actions: Actions in them.
        keys: Rows of the state table compared.
        digest: The state digest at the head.
        findings: What disagrees, at most `MAX_FINDINGS`; empty if all is well.
    """

    machine: str
    blocks: int = 0
    actions: int = 0
    keys: int = 0
    digest: str = ""
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.findings


def ignore(_block: Block) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks a machine's stores against each other; changes nothing, may run beside writers.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
    """

    log: BlockLog
    table: StateTable
    machines: Machines

    def verify(self, machine: str, progress: Callable[[Block], None] = ignore) -> Verification:
        """Fold the whole log, checking each link, then hold the state table against it.

        Args:
            machine: The machine's id.
            progress: Told each block that was checked.

        Raises:
            NotFound: There is no such machine.
            Unavailable: A store could not be read.
        """
        result = Verification(machine)
        record = self.machines.get(machine)
        flushed = record.flushed if record else 0
        rows = list(self.table.scan(machine))
        if record is None and not rows and self.log.head(machine) is None:
            raise NotFound(f"there is no machine {machine!r}", hint="see `blockfold machines`")
        entries: dict[str, Canonical] = {}
        writers: dict[str, int] = {}
        try:
            head = self._fold(machine, entries, writers, result, progress)
        except Corrupted as error:
            result.findings.append(str(error))
            return result
        result.digest = head.digest
        if flushed > head.number:
            result.findings.append(
                f"the log ends at block {head.number}, but the state table holds block {flushed}"
            )
        _compare(rows, entries, writers, flushed, result)
        return result

    def _fold(
        self,
        machine: str,
        entries: dict[str, Canonical],
        writers: dict[str, int],
        result: Verification,
        progress: Callable[[Block], None],
    ) -> Head:
        head = Head(machine=machine)
        for block in self.log.read(machine, 1):
            check_link(head, block)
            total = folded_total(entries, head.total, block)
            if total != block.total:
                raise Corrupted(
                    f"block {block.number} of machine {machine!r}: its changes lead to digest "
                    f"{digest.digest_of(total)}, it says {block.header.digest}"
                )
            fold(entries, block)
            writers.update(dict.fromkeys(block.body.changes, block.number))
            head = block.head
            result.blocks += 1
            result.actions += block.actions
            progress(block)
        return head


def _compare(
    rows: list[Row],
    entries: dict[str, Canonical],
    writers: dict[str, int],
    flushed: int,
    result: Verification,
) -> None:
    """Rows against the fold; a key last written after ``flushed`` may still be on its way."""
    findings: list[str] = []
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
    result.keys = len(rows)
    result.findings += sorted(findings)[: MAX_FINDINGS - len(result.findings)]
