"""Bring a machine's state table up to its log, restore and fork blocks included.

Safe to run anywhere, by anyone, at the same time: every write is fenced by its block's number,
and what is done already is fenced off or found equal. How far a restore is stands in the
machine's record, by key, so that any process goes on where the last one was stopped.

What happens if the process dies after some writes: the next one compares again what came after
the last note, at most `NOTE` keys and a chunk. After a note: it goes on from there. After
``flushed`` was raised: nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

from blockfold.application.caught_up import Behind, CaughtUp, Counts, Filled
from blockfold.application.counters import Counters
from blockfold.application.difference import compare
from blockfold.application.flush import unstored
from blockfold.application.history import origin_manifest
from blockfold.domain.block import Block
from blockfold.domain.errors import NotFound, Refused
from blockfold.domain.replay import contiguous
from blockfold.domain.spans import FIRST, LAST, Span, gaps
from blockfold.ports import BlockLog, Clock, Machines, SnapshotStore, StateTable, Write

__all__ = ["Behind", "CatchUp", "CaughtUp", "Counts", "Filled"]

CHUNK = 500
"""Most writes between two looks at the clock."""

CHUNK_BYTES = 1024 * 1024
"""Bytes of keys and values after which a chunk takes no further write."""

LOOK = 1_000
"""Keys that are compared between two looks at the clock."""

NOTE = 5_000
"""Keys after which the place in a restore is noted. One write unit each time: a thousandth of what
comparing and writing them costs."""

PAUSED = 10
"""Runs that are kept to go on with; the oldest is dropped first."""


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

    def run(self, machine: str, *, deadline: float, before: int | None = None) -> CaughtUp:
        """Bring the table up to the head, or only to the block before another.

        Ordinary blocks are coalesced to one write a key. A restore or fork block first has all
        before it flushed, then writes only the difference between its snapshot and the table.

        When time runs out, what was found so far is written and the place is noted; the next run
        goes on from there, whoever makes it.

        Args:
            machine: The machine's id.
            deadline: When to stop, by the clock's ``monotonic``.
            before: Leave this block and those after it.

        Returns:
            What was done, by the paused runs before this one too.

        Raises:
            Behind: Time ran out.
            Unavailable: A store failed; a further run goes on from what is stored.
            Corrupted: Log or snapshot are damaged.
        """
        run = self._paused.pop(machine, None) or _Run(self, machine, before)
        if not run.go_on(deadline):
            self._paused[machine] = run
            if len(self._paused) > PAUSED:
                del self._paused[next(iter(self._paused))]
            raise Behind(
                f"machine {machine!r} is catching up with its log and stands at block "
                f"{run.result.number}",
                run.result,
            )
        return run.result

    def forget(self, machine: str) -> None:
        """Drop a run that was paused."""
        self._paused.pop(machine, None)

    def fill(self, machine: str, number: int, span: Span, *, deadline: float) -> Filled:
        """Bring the table up to a restore block for some of the keys.

        ``flushed`` stays as it is: `run` raises it when nothing is left, which it finds noted.

        Args:
            machine: The machine's id.
            number: The block; all before it must be flushed.
            span: The keys.
            deadline: When to stop, by the clock's ``monotonic``.

        Raises:
            NotFound: There is no such block.
            Refused: It is no restore block, or blocks before it are not flushed.
            Unavailable: A store failed; a further call goes on from what is noted.
            Corrupted: Log or snapshot are damaged.
        """
        record = self.machines.get(machine)
        flushed = record.flushed if record else 0
        block = self.log.get(machine, number)
        if block is None:
            raise NotFound(f"machine {machine!r} has no block {number}")
        if block.body.origin is None:
            raise Refused(f"block {number} of machine {machine!r} is no restore")
        if flushed >= number:
            return Filled(done=True)
        if flushed < number - 1:
            raise Refused(
                f"block {number} of machine {machine!r} must wait: its table stands at "
                f"block {flushed}",
                hint="go on with the restore: that flushes first what came before it",
            )
        return _Run(self, machine).fill(block, span, deadline)


class _Run:
    """The catching up of one machine: work that can be paused where it is and go on later.

    That is sound however late: what others stored meanwhile comes from later blocks or is the
    same, so the fence keeps it.
    """

    def __init__(self, ports: CatchUp, machine: str, before: int | None = None) -> None:
        self.result = CaughtUp(0)
        self._last = None if before is None else before - 1
        self._ports = ports
        self._machine = machine
        self._deadline = 0.0
        self._flushed = 0
        self._counters = Counters(machine, ports.table)
        self._pauses = self._work()

    def go_on(self, deadline: float) -> bool:
        """Work until it is done or time is out; whether it is done."""
        self._deadline = deadline
        return next(self._pauses, _DONE) is _DONE

    def fill(self, block: Block, span: Span, deadline: float) -> Filled:
        """Work on some keys of a restore until they are done or time is out."""
        self._deadline = deadline
        counts = Counts()
        done = next(self._bring_back(block, span, counts), _DONE) is _DONE
        return Filled(done, counts.written, counts.deleted)

    def _work(self) -> Iterator[None]:
        """All there is to do; yields whenever time is out."""
        ports, machine = self._ports, self._machine
        record = ports.machines.get(machine) or ports.machines.register(machine)
        self._flushed = self.result.number = record.flushed
        pending: dict[str, Write] = {}
        unflushed = ports.log.read(machine, record.flushed + 1, self._last)
        for block in contiguous(machine, record.flushed, unflushed):
            if self._is_late():
                yield from self._flush(pending)
                while self._is_late():  # nothing is begun without time
                    yield
            self._counters.note(block)
            if block.body.origin is None:
                for key, value in block.body.changes.items():
                    pending[key] = Write(key, value, block.number)
                self.result.number = block.number
                if len(pending) + len(self._counters) >= CHUNK:
                    yield from self._flush(pending)
                continue
            yield from self._flush(pending)
            counts = self.result.restores[block.number] = Counts()
            yield from self._bring_back(block, (FIRST, LAST), counts)
            self.result.number = block.number
            self._raise_flushed()
        yield from self._flush(pending)

    def _flush(self, pending: dict[str, Write]) -> Iterator[None]:
        """Store the changes of all blocks so far."""
        found = ((write.key, write) for write in pending.values())
        yield from self._store(found, Counts(), look_first=self._ports.look_first)
        pending.clear()
        self._raise_flushed()

    def _raise_flushed(self) -> None:
        if self.result.number > self._flushed:
            self._counters.store(self.result.number, len(self._counters))
            self._ports.machines.raise_watermark(self._machine, "flushed", self.result.number)
            self._flushed = self.result.number

    def _bring_back(self, block: Block, span: Span, counts: Counts) -> Iterator[None]:
        """Store what a restore block changes within a span, but for what is noted as done."""
        ports, machine, number = self._ports, self._machine, block.number
        manifest = origin_manifest(ports.snapshots, block)
        record = ports.machines.get(machine)
        noted = record.restoring if record else None
        spans = noted.spans if noted is not None and noted.number == number else ()
        for gap in gaps(spans, *span):

            def note(key: str, owner: str = gap.owner) -> None:
                ports.machines.note_restored(machine, number, owner, key)

            target = ports.snapshots.scan(manifest, after=gap.after, upto=gap.upto)
            rows = ports.table.between(machine, gap.after, gap.upto)
            yield from self._store(compare(target, rows, number), counts, note)
            if (gap.upto, span) != (LAST, (FIRST, LAST)):  # else ``flushed`` says it all
                note(gap.upto)

    def _store(
        self,
        found: Iterable[tuple[str, Write | None]],
        counts: Counts,
        note: Callable[[str], None] | None = None,
        *,
        look_first: bool = False,
    ) -> Generator[None]:
        """Store what is found, note the place now and then, and yield when time is out."""
        size = since = 0
        chunk: list[Write] = []
        for seen, (key, write) in enumerate(found, start=1):
            since += 1
            if write is not None:
                chunk.append(write)
                size += len(write.key) + len(write.value or b"")
            full = len(chunk) >= CHUNK or size >= CHUNK_BYTES
            if not full and seen % LOOK:
                continue
            late = self._is_late()
            if full or late or since >= NOTE:
                self._write(chunk, look_first)
                counts.add(chunk)
                chunk, size = [], 0
            if note is not None and (late or since >= NOTE):
                note(key)
                since = 0
            if late:
                yield
        self._write(chunk, look_first)
        counts.add(chunk)

    def _write(self, chunk: list[Write], look_first: bool) -> None:
        if look_first:
            chunk = unstored(self._machine, self._ports.table, chunk)
        if chunk:
            self._ports.table.write(self._machine, chunk)

    def _is_late(self) -> bool:
        return self._ports.clock.monotonic() >= self._deadline


_DONE = object()
