"""Bring a machine's state table up to its log, restore and fork blocks included.

Safe to run anywhere, by anyone, at the same time: every write is fenced by its block's number,
and what is done already is fenced off or found equal.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from blockfold.application.flush import unstored
from blockfold.application.history import origin_manifest
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Unavailable
from blockfold.domain.replay import contiguous
from blockfold.ports import BlockLog, Clock, Machines, Row, SnapshotStore, StateTable, Write

CHUNK = 500
"""Most writes between two looks at the clock."""

CHUNK_BYTES = 1024 * 1024
"""Bytes of keys and values after which a chunk takes no further write."""

LOOK = 1_000
"""Keys that are compared between two looks at the clock."""

PAUSED = 10
"""Runs that are kept to go on with; the oldest is dropped first."""


class Behind(Unavailable):
    """Time ran out before the state table had caught up; a further run goes on from there."""


@dataclass(slots=True)
class CaughtUp:
    """What was done.

    Attributes:
        number: The block that the table stands at.
        restores: For each restore and fork block on the way, how many keys were stored for it,
            and how many deleted.
    """

    number: int
    restores: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Writes to the state table what the log has and the table has not.

    Attributes:
        log: The blocks.
        table: The state table.
        machines: The register.
        snapshots: Where restore and fork blocks take their state from.
        clock: Time.
        look_first: Read the rows of an ordinary block's keys before writing them, so that what
            an interrupted run stored is not written again.
    """

    log: BlockLog
    table: StateTable
    machines: Machines
    snapshots: SnapshotStore
    clock: Clock
    look_first: bool = False
    _paused: dict[str, _Run] = field(default_factory=dict, repr=False, compare=False)

    def run(self, machine: str, *, deadline: float) -> CaughtUp:
        """Bring the table up to the head.

        Ordinary blocks are coalesced to one write a key. A restore or fork block first has all
        before it flushed, then writes only the difference between its snapshot and the table.

        When time runs out, what was found so far is written; the next run of this object goes on
        right there, that of another compares rows again but finds them equal.

        Args:
            machine: The machine's id.
            deadline: When to stop, by the clock's ``monotonic``.

        Returns:
            What was done, by the paused runs before this one too.

        Raises:
            Behind: Time ran out.
            Unavailable: A store failed; a further run goes on from what is stored.
            Corrupted: Log or snapshot are damaged.
        """
        run = self._paused.pop(machine, None) or _Run(self, machine)
        if not run.go_on(deadline):
            self._paused[machine] = run
            if len(self._paused) > PAUSED:
                del self._paused[next(iter(self._paused))]
            raise Behind(
                f"machine {machine!r} is catching up with its log and stands at block "
                f"{run.result.number}",
                hint="the next call goes on from there",
            )
        return run.result

    def forget(self, machine: str) -> None:
        """Drop a run that was paused."""
        self._paused.pop(machine, None)


class _Run:
    """The catching up of one machine: work that can be paused where it is and go on later.

    That is sound however late: what others stored meanwhile comes from later blocks or is the
    same, so the fence keeps it.
    """

    def __init__(self, ports: CatchUp, machine: str) -> None:
        self.result = CaughtUp(0)
        self._ports = ports
        self._machine = machine
        self._deadline = 0.0
        self._flushed = 0
        self._pauses = self._work()

    def go_on(self, deadline: float) -> bool:
        """Work until it is done or time is out; whether it is done."""
        self._deadline = deadline
        return next(self._pauses, _DONE) is _DONE

    def _work(self) -> Iterator[None]:
        """All there is to do; yields whenever time is out."""
        ports, machine = self._ports, self._machine
        record = ports.machines.get(machine) or ports.machines.register(machine)
        self._flushed = self.result.number = record.flushed
        pending: dict[str, Write] = {}
        unflushed = ports.log.read(machine, record.flushed + 1)
        for block in contiguous(machine, record.flushed, unflushed):
            if self._is_late():
                yield from self._flush(pending)
                while self._is_late():  # nothing is begun without time
                    yield
            if block.body.origin is None:
                for key, value in block.body.changes.items():
                    pending[key] = Write(key, value, block.number)
                self.result.number = block.number
                if len(pending) >= CHUNK:
                    yield from self._flush(pending)
                continue
            yield from self._flush(pending)
            counts = yield from self._store(self._difference(block), look_first=False)
            self.result.restores[block.number] = counts
            self.result.number = block.number
            self._raise_flushed()
        yield from self._flush(pending)

    def _flush(self, pending: dict[str, Write]) -> Iterator[None]:
        """Store the changes of all blocks so far."""
        yield from self._store(iter(pending.values()), look_first=self._ports.look_first)
        pending.clear()
        self._raise_flushed()

    def _raise_flushed(self) -> None:
        if self.result.number > self._flushed:
            self._ports.machines.raise_watermark(self._machine, "flushed", self.result.number)
            self._flushed = self.result.number

    def _difference(self, block: Block) -> Iterator[Write | None]:
        ports = self._ports
        target = ports.snapshots.entries(origin_manifest(ports.snapshots, block))
        return compare(target, ports.table.scan(block.machine), block.number)

    def _store(
        self, found: Iterator[Write | None], *, look_first: bool
    ) -> Generator[None, None, tuple[int, int]]:
        """Store what is found; how many keys were stored and how many deleted."""
        written = deleted = size = 0
        chunk: list[Write] = []
        for seen, write in enumerate(found, start=1):
            if write is not None:
                chunk.append(write)
                size += len(write.key) + len(write.value or b"")
            full = len(chunk) >= CHUNK or size >= CHUNK_BYTES
            if not full and seen % LOOK:
                continue
            late = self._is_late()
            if full or late:
                self._write(chunk, look_first)
                deleted += _deletions(chunk)
                written += len(chunk) - _deletions(chunk)
                chunk, size = [], 0
            if late:
                yield
        self._write(chunk, look_first)
        deleted += _deletions(chunk)
        written += len(chunk) - _deletions(chunk)
        return written, deleted

    def _write(self, chunk: list[Write], look_first: bool) -> None:
        if look_first:
            chunk = unstored(self._machine, self._ports.table, chunk)
        if chunk:
            self._ports.table.write(self._machine, chunk)

    def _is_late(self) -> bool:
        return self._ports.clock.monotonic() >= self._deadline


_DONE = object()


def _deletions(writes: list[Write]) -> int:
    return sum(1 for write in writes if write.value is None)


def difference(
    target: Iterator[tuple[str, Canonical]], rows: Iterator[Row], number: int
) -> Iterator[Write]:
    """What turns the rows into the target, in key order; both are read as streams.

    Args:
        target: The wanted state, in key order.
        rows: The table, in key order, tombstones included.
        number: The block that the writes belong to.
    """
    return (write for write in compare(target, rows, number) if write is not None)


def compare(
    target: Iterator[tuple[str, Canonical]], rows: Iterator[Row], number: int
) -> Iterator[Write | None]:
    """The same with None for each key that needs no write, so that a caller gets to stop there."""
    row = next(rows, None)
    for key, value in target:
        while row is not None and row.key < key:
            yield None if row.value is None else Write(row.key, None, number)
            row = next(rows, None)
        if row is None or row.key != key:
            yield Write(key, value, number, new=True)
            continue
        yield None if row.value == value else Write(key, value, number)
        row = next(rows, None)
    while row is not None:
        yield None if row.value is None else Write(row.key, None, number)
        row = next(rows, None)
