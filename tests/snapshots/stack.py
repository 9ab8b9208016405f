"""A whole stack in memory: every use case on the same stores, in processes that come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from blockfold import Block, Machine, Message
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryMachines,
    MemoryObjectStore,
    MemoryStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.dump import Dumper
from blockfold.application.execute import Executor
from blockfold.application.read import Reader
from blockfold.application.restore import Restored, Restorer, Target
from blockfold.application.verify import Verification, Verifier
from blockfold.domain.canonical import Canonical, Json, decode
from blockfold.domain.digest import digest_of, sum_of
from blockfold.domain.errors import Unavailable
from blockfold.domain.schedule import OFF, Schedule
from blockfold.ports import BlockLog, Machines, StateTable, Write
from tests.faults import Faults, faulty, torn
from tests.machines_for_tests import Cells
from tests.properties.histories import MACHINE, NEVER
from tests.strategies import SENT, message

Steps = Sequence[dict[str, Any]]


@dataclass
class HandClock:
    """A clock that stands still until it is moved, and counts no time for deadlines."""

    milliseconds: int = SENT

    def now(self) -> int:
        return self.milliseconds

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@dataclass
class Stack:
    """What outlives every process, and the processes that work on it.

    Attributes:
        schedule: The dumper schedule of new machines.
        part: Bytes after which a run is closed; small ones make many runs.
        queue: ARN of the queue that messages come from.
        pushed: Messages so far; message n is sent n milliseconds after `SENT`.
    """

    log: BlockLog = field(default_factory=MemoryBlockLog)
    table: StateTable = field(default_factory=MemoryStateTable)
    machines: Machines = field(default_factory=MemoryMachines)
    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    clock: HandClock = field(default_factory=HandClock)
    schedule: Schedule = OFF
    part: int = 100
    pushed: int = 0

    def __post_init__(self) -> None:
        self.objects.now = self.clock.now

    # -- processes -------------------------------------------------------------------------

    @property
    def snapshots(self) -> ObjectSnapshots:
        return ObjectSnapshots(self.objects, part=self.part, now=self.clock.now)

    def executor(self, faults: Faults | None = None, machine: Machine | None = None) -> Executor:
        """A cold executor; its calls to the stores are the steps of the faults."""
        faults = faults or Faults()
        return Executor(
            machine=machine or Cells(),
            log=faulty("log", self.log, faults),
            table=torn(self.table, faults),
            machines=faulty("machines", self.machines, faults),
            snapshots=self._snapshots(faults),
            clock=self.clock,
            schedule=self.schedule,
        )

    def dumper(self, faults: Faults | None = None) -> Dumper:
        faults = faults or Faults()
        return Dumper(
            faulty("log", self.log, faults),
            faulty("machines", self.machines, faults),
            self._snapshots(faults),
            self.clock,
        )

    def restorer(self, faults: Faults | None = None) -> Restorer:
        faults = faults or Faults()
        return Restorer(
            log=faulty("log", self.log, faults),
            table=torn(self.table, faults),
            machines=faulty("machines", self.machines, faults),
            snapshots=self._snapshots(faults),
            clock=self.clock,
            schedule=self.schedule,
        )

    def reader(self) -> Reader:
        return Reader(self.log, self.table, self.machines, self.snapshots)

    def verify(self, machine: str = MACHINE) -> Verification:
        return Verifier(self.log, self.table, self.machines, self.snapshots).verify(machine)

    def _snapshots(self, faults: Faults) -> ObjectSnapshots:
        objects = faulty("objects", self.objects, faults)
        return ObjectSnapshots(objects, part=self.part, now=self.clock.now)

    # -- doing -----------------------------------------------------------------------------

    def message(self, *steps: dict[str, Any]) -> Message:
        """The next message: one action of `Cells`."""
        self.pushed += 1
        self.clock.milliseconds = max(self.clock.milliseconds, SENT + self.pushed)
        actions = [{"type": "run", "args": {"steps": list(steps)}}]
        return message(self.pushed, actions, sent=SENT + self.pushed)

    def run(
        self, *steps: dict[str, Any], machine: str = MACHINE, by: Executor | None = None
    ) -> Block:
        """One action, executed and flushed; its block."""
        folded = (by or self.executor()).fold(machine, [self.message(*steps)], deadline=NEVER)
        assert folded.error is folded.flush_error is None
        return folded.blocks[-1]

    def lag(self, *steps: dict[str, Any], machine: str = MACHINE) -> None:
        """One action in a block that is not flushed: the table lags behind the log."""
        table = cast("StateTable", Unwritable(self.table))
        executor = replace(self.executor(), table=table)
        folded = executor.fold(machine, [self.message(*steps)], deadline=NEVER)
        assert len(folded.blocks) == 1
        assert isinstance(folded.flush_error, Unavailable)

    def grow(self, count: int, machine: str = MACHINE) -> None:
        """So many blocks more, each different, with sets, changes and deletions."""
        executor = self.executor()
        for _ in range(count):
            self.run(*steps_of(self.pushed), machine=machine, by=executor)

    def lose_block(self, number: int, machine: str = MACHINE) -> None:
        """Take a block out of the log."""
        del cast("MemoryBlockLog", self.log)._blocks[machine][number]

    def restore(self, block: int, machine: str = MACHINE, fork: str | None = None) -> Restored:
        target = Target(machine, block=block, fork=fork)
        return self.restorer().carry_out(target, deadline=NEVER)

    # -- looking ---------------------------------------------------------------------------

    def head(self, machine: str = MACHINE) -> int:
        newest = self.log.head(machine)
        return newest.number if newest else 0

    def blocks(self, machine: str = MACHINE) -> list[Block]:
        return list(self.log.read(machine, 1))

    def rows(self, machine: str = MACHINE) -> dict[str, Canonical]:
        """The state table as it is, without tombstones."""
        return {row.key: row.value for row in self.table.scan(machine) if row.value is not None}

    def stored(self, machine: str = MACHINE) -> dict[str, Json]:
        """The same with values decoded."""
        return {key: decode(value) for key, value in self.rows(machine).items()}

    def state_at(self, number: int, machine: str = MACHINE) -> dict[str, Json]:
        """The state after a block, by the reader."""
        entries = self.reader().state_at(machine, number).entries
        return {key: decode(value) for key, value in entries.items()}

    def taken(self, machine: str = MACHINE) -> list[int]:
        """Blocks that have a snapshot."""
        return self.snapshots.numbers(machine)

    def entries(self, number: int, machine: str = MACHINE) -> dict[str, Json]:
        """What the snapshot of a block holds."""
        manifest = self.snapshots.get(machine, number)
        assert manifest is not None, f"there is no snapshot of block {number}"
        return {key: decode(value) for key, value in self.snapshots.entries(manifest)}

    def contents(self) -> dict[str, object]:
        """Everything in every store, to compare."""
        records = sorted(self.machines.list(), key=lambda record: record.machine)
        names = [record.machine for record in records]
        return {
            "records": records,
            "blocks": {name: [block.hash for block in self.blocks(name)] for name in names},
            "rows": {name: list(self.table.scan(name)) for name in names},
            "objects": {each.key: self.objects.get(each.key) for each in self.objects.list("")},
        }

    def assert_whole(self, machine: str = MACHINE) -> None:
        """The table is the state of the head, digest and all, and everything verifies."""
        head = self.log.head(machine)
        assert head is not None
        record = self.machines.get(machine)
        assert record is not None
        assert record.flushed == head.number
        assert digest_of(sum_of(self.rows(machine).items())) == head.header.digest
        verification = self.verify(machine)
        assert verification.ok, verification.findings
        assert verification.blocks == head.number


@dataclass(frozen=True)
class Unwritable:
    """A state table that can be read."""

    table: StateTable

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        raise Unavailable("injected: the table takes no writes")


def put(key: str, value: Json) -> dict[str, Any]:
    """The step that sets a key."""
    return {"do": "set", "key": key, "value": value}


def drop(key: str) -> dict[str, Any]:
    """The step that deletes a key."""
    return {"do": "delete", "key": key}


def steps_of(number: int) -> Steps:
    """What the block number so many does when a stack grows: each gives another state."""
    steps = [put("count", number), put(f"key/{number % 7}", {"n": number, "text": "é" * 9})]
    if number % 3 == 2:
        steps.append(drop(f"key/{(number + 4) % 7}"))
    return steps
