"""Rehearse a rebuild: from the bucket alone, into scratch rows, measured, checked, cleaned up.

The live tables are asked for one thing only: how far the archive is behind them. All else comes
from the bucket, as on the day when the tables are lost. The rows go to a partition of the State
table that is no machine's, and are read back from there.

What happens if the process dies: scratch rows stay behind, which nobody reads and the next drill
of the machine deletes. Two drills of one machine at once disturb each other and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice

from blockfold.application.counter_rows import CounterFold, put_back
from blockfold.application.counters import partition_of
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.rebuild import Progress, archived_head, ignore, oldest_kept
from blockfold.application.writers import last_writers, rows_of
from blockfold.domain import digest
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted, NotFound
from blockfold.ports import (
    Archive,
    BlockLog,
    Clock,
    Eraser,
    MachineRecord,
    Machines,
    ObjectStore,
    Row,
    SnapshotStore,
    StateTable,
    Write,
)

CHUNK = 500
"""Rows written between two looks at the clock."""

ROWS_PER_SECOND = 400
"""What a drill is trusted with: a partition of DynamoDB stores about 1,000 small rows a second, and
they are written, read and deleted again."""

BLOCK_SECONDS = 0.008
"""What putting a block back takes: one request after the other, each some milliseconds."""

RPO_SECONDS = 900
"""How long a committed block may stand outside the archive: as long as an alarm takes to ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What a drill measured and found.

    Attributes:
        machine: The machine's id.
        number: Its last archived block: the head after a rebuild. 0 if nothing is archived.
        digest: The state digest there; empty if nothing is archived.
        rpo_blocks: Blocks that a rebuild would lose now, because they are not archived.
        rpo_seconds: How long ago the newest action of the oldest of them was sent; 0 if there is
            none.
        rto_seconds: How long a rebuild would take: what was measured for the rows, and
            `BLOCK_SECONDS` for each block that would go back.
        seconds: What was measured: from the archive to rows that were read back and checked.
        blocks: Blocks that were read.
        rows: Rows that were written and read back, tombstones and counters of producers included.
        findings: What is wrong.
        skipped: Why the rows were not rebuilt; empty if they were.
    """

    machine: str
    number: int = 0
    digest: str = ""
    rpo_blocks: int = 0
    rpo_seconds: float = 0.0
    rto_seconds: float = 0.0
    seconds: float = 0.0
    blocks: int = 0
    rows: int = 0
    findings: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def rows_per_second(self) -> float:
        """Rows that were rebuilt in a second."""
        return self.rows / self.seconds if self.seconds else 0.0

    def report(self) -> dict[str, object]:
        """All of it as JSON has it."""
        return {
            **asdict(self),
            "findings": list(self.findings),
            "rows_per_second": self.rows_per_second,
            "ok": self.ok,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Rehearses rebuilds, and writes nothing but scratch rows.

    Attributes:
        live: The Blocks table alone.
        bucket_log: Gives the log that the bucket alone has, up to a block that it archived.
        archive: The archive.
        table: The state table.
        machines: The register.
        snapshots: The snapshots.
        objects: The bucket.
        eraser: Deletes the scratch rows.
        clock: Time.
    """

    live: BlockLog
    bucket_log: Callable[[Block], BlockLog]
    archive: Archive
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    objects: ObjectStore
    eraser: Eraser
    clock: Clock

    def run(
        self,
        machine: str,
        *,
        rpo: float = RPO_SECONDS,
        deadline: float = float("inf"),
        progress: Progress = ignore,
    ) -> Drilled:
        """Rehearse the rebuild of a machine.

        Args:
            machine: The machine's id.
            rpo: How long a block may stand outside the archive, seconds.
            deadline: When to give up, by the clock's ``monotonic``.
            progress: Told of blocks ``read`` and of ``rows`` written.

        Returns:
            The measures; what is wrong stands in them.

        Raises:
            NotFound: Neither table nor archive know the machine.
            Unavailable: A service failed.
        """
        newest = self.live.head(machine)  # before the archive: what comes after it is no loss
        record = self.machines.get(machine)
        try:
            head = archived_head(self.archive, machine)
        except Corrupted as error:
            return Drilled(machine=machine, findings=(str(error),))
        if newest is None and head is None:
            raise NotFound(f"there is no machine {machine!r}", hint="its first action makes it")
        behind, seconds, findings = self._lag(machine, newest, head, rpo)
        if head is None:
            return Drilled(
                machine=machine, rpo_blocks=behind, rpo_seconds=seconds, findings=tuple(findings)
            )
        findings += self._settings(machine, record)
        work = _Work(self, head, deadline, progress)
        skipped = self._too_large(head, deadline)
        if not skipped:
            work.clean_up()
            try:
                findings += work.rehearse()
            except _OutOfTime:
                skipped = "time ran out"
            except (Corrupted, NotFound) as error:
                findings.append(str(error))
            finally:
                work.clean_up()
        back = head.number - oldest_kept(record or MachineRecord(machine), head.number) + 1
        return Drilled(
            machine=machine,
            number=head.number,
            digest=head.header.digest,
            rpo_blocks=behind,
            rpo_seconds=seconds,
            rto_seconds=0.0 if skipped else work.seconds + back * BLOCK_SECONDS,
            seconds=work.seconds,
            blocks=work.blocks,
            rows=work.rows,
            findings=tuple(findings),
            skipped=skipped,
        )

    def _lag(
        self, machine: str, newest: Block | None, head: Block | None, rpo: float
    ) -> tuple[int, float, list[str]]:
        """How many blocks a rebuild would lose, of how many seconds, and what is wrong with that.

        A block's time is when its newest action was sent, so actions that waited in the queue
        count with their wait.
        """
        number, seen = head.number if head else 0, newest.number if newest else 0
        if head is not None:
            same = self.live.get(machine, number)
            if same is None and seen < number:
                return (
                    0,
                    0.0,
                    [f"the Blocks table ends at block {seen}, the archive at block {number}"],
                )
            if same is not None and same.hash != head.hash:
                return 0, 0.0, [f"the archive holds another block {number} than the Blocks table"]
        if seen <= number:
            return 0, 0.0, []
        oldest = self.live.get(machine, number + 1)
        if oldest is None:
            nowhere = f"block {number + 1} is neither in the Blocks table nor in the archive"
            return seen - number, 0.0, [nowhere]
        seconds = max(0.0, (self.clock.now() - oldest.header.time) / 1000)
        late = [f"block {number + 1} is {seconds:,.0f} s old and not archived"]
        return seen - number, seconds, late if seconds > rpo else []

    def _settings(self, machine: str, record: MachineRecord | None) -> list[str]:
        """Whether the bucket has the machine's settings."""
        try:
            kept = KeptSettings(self.objects).newest(machine)
        except Corrupted as error:
            return [str(error)]
        if record is None or record.revision <= (kept.revision if kept else 0):
            return []
        return [f"the bucket lacks revision {record.revision} of the machine's settings"]

    def _too_large(self, head: Block, deadline: float) -> str:
        """Why there is no time for so many rows; empty if there is."""
        seconds = deadline - self.clock.monotonic()
        needed = head.header.keys / ROWS_PER_SECOND
        if needed <= seconds:
            return ""
        return (
            f"{head.header.keys:,} rows take some {needed:,.0f} s and {max(0.0, seconds):,.0f} s "
            "are left: run `blockfold drill` for it"
        )


def scratch_of(machine: str) -> str:
    """The partition for a machine's scratch rows: no queue takes a group id with a space in it."""
    return f"drill {machine}"


class _OutOfTime(Exception):
    """There is no time left."""


class _Work:
    """One rehearsal: what was done of it so far."""

    def __init__(self, drill: Drill, head: Block, deadline: float, progress: Progress) -> None:
        self.scratch = scratch_of(head.machine)
        self.seconds = 0.0
        self.blocks = 0
        self.rows = 0
        self._counters = CounterFold()
        self._drill = drill
        self._head = head
        self._deadline = deadline
        self._progress = progress

    def clean_up(self) -> None:
        """Delete the scratch rows."""
        for partition in (self.scratch, partition_of(self.scratch)):
            self._drill.eraser.erase_state(partition)

    def rehearse(self) -> list[str]:
        """Write the rows and read them back; what is wrong.

        Raises:
            Corrupted: Archive or snapshots are damaged.
        """
        drill, machine, number = self._drill, self._head.machine, self._head.number
        began = drill.clock.monotonic()
        log = drill.bucket_log(self._head)
        writers = last_writers(log, drill.snapshots, machine, number, self._read)
        rows = rows_of(log, drill.snapshots, machine, number, writers)
        while chunk := [*islice(rows, CHUNK)]:
            self._look_at_the_clock()
            writes = [Write(row.key, row.value, row.block, new=True) for row in chunk]
            drill.table.write(self.scratch, writes)
            self.rows += len(chunk)
            self._progress("rows", self.rows)
        written, _ = put_back(
            drill.table, drill.eraser, self.scratch, self._counters, self._look_at_the_clock
        )
        self.rows += written
        findings = [*self._compare(writers), *self._compare_counters()]
        self.seconds = drill.clock.monotonic() - began
        return findings

    def _read(self, block: Block) -> None:
        self._look_at_the_clock()
        self._counters.note(block)
        self.blocks += 1
        self._progress("read", self.blocks)

    def _compare(self, writers: dict[str, int]) -> list[str]:
        """Read the rows back, and hold them against the archived head and its history."""
        total, keys, rows, foreign = digest.EMPTY, 0, 0, 0
        row: Row
        for row in self._drill.table.scan(self.scratch):
            rows += 1
            foreign += writers.get(row.key) != row.block
            if row.value is not None:
                keys += 1
                total = digest.replace(total, row.key, None, row.value)
        header = self._head.header
        findings = []
        if (found := digest.digest_of(total)) != header.digest:
            findings.append(
                f"the rebuilt rows have digest {found}, block {header.number} says {header.digest}"
            )
        if (keys, rows) != (header.keys, len(writers)):
            findings.append(
                f"{rows:,} rows with {keys:,} keys were read back, of {len(writers):,} rows with "
                f"{header.keys:,} keys"
            )
        if foreign:
            findings.append(f"{foreign:,} rebuilt rows name another block than wrote them")
        return findings

    def _compare_counters(self) -> list[str]:
        found = list(self._drill.table.scan(partition_of(self.scratch)))
        if found == list(self._counters.rows()):
            return []
        return [f"{len(found):,} counters of producers were read back otherwise than written"]

    def _look_at_the_clock(self) -> None:
        if self._drill.clock.monotonic() >= self._deadline:
            raise _OutOfTime
