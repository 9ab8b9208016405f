"""A machine that is played in memory, and the frames that its recorders are told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from blockfold import Block, Limits
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines, MemoryStateTable
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.execute import Executor
from blockfold.application.history import History
from blockfold.application.rebuild import archived_head
from blockfold.application.restore import Restorer, Target
from blockfold.domain.block import Outcome
from blockfold.domain.canonical import Json, decode
from blockfold.domain.errors import Refused
from blockfold.domain.schedule import OFF
from blockfold.ports import BlockLog, ObjectStore, Write
from blockfold.recorders import ObjectRecorder, Snapshot
from tests.machines_for_tests import Cells
from tests.properties.histories import NEVER
from tests.snapshots.stack import HandClock, steps_of
from tests.strategies import SENT, message


@dataclass(frozen=True)
class Told:
    """A `Frame` that knows the past of its machine."""

    history: History
    machine: str
    block: Block | None = None
    position: int = 0
    last: bool = True

    @property
    def number(self) -> int:
        return self.block.number if self.block else 0

    @property
    def action(self) -> Mapping[str, Json] | None:
        if not self.position:
            return None
        assert self.block is not None
        each, index, record = [*self.block.body.actions][self.position - 1]
        args: Json = decode(bytes(record.args))
        return {"type": record.type, "args": args, "id": each.action_id(index)}

    @property
    def outcome(self) -> Outcome | None:
        if not self.position:
            return None
        assert self.block is not None
        return [*self.block.body.actions][self.position - 1][2].outcome

    @property
    def reason(self) -> str | None:
        return None

    @property
    def changes(self) -> Mapping[str, Json]:
        found = self.block.body.changes if self.block else {}
        return {key: None if value is None else decode(value) for key, value in found.items()}

    @cached_property
    def state(self) -> Mapping[str, Json]:
        return self.snapshot().state

    def snapshot(self) -> Snapshot:
        if self.block is None:
            raise Refused("there is no block yet")
        entries = self.history.at(self.machine, self.number).sorted_entries()
        return Snapshot(self.block, dict(entries))


@dataclass
class Play:
    """One process that plays a machine and tells a recorder of it."""

    machine: str
    recorder: Any
    actions: int = 1
    log: BlockLog = field(default_factory=MemoryBlockLog)
    objects: ObjectStore | None = None
    clock: HandClock = field(default_factory=HandClock)
    pushed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.recorder, ObjectRecorder):
            self.objects = self.recorder.objects
        assert self.objects is not None
        self.snapshots = ObjectSnapshots(self.objects)
        self.table, self.machines = MemoryStateTable(), MemoryMachines()
        self.executor = Executor(
            machine=Cells(),
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self.snapshots,
            clock=self.clock,
            limits=Limits(actions=self.actions),
        )

    def begin(self) -> None:
        """The first call of all."""
        self.recorder.after_dispatch(Told(self.history, self.machine))

    @property
    def history(self) -> History:
        return History(self.log, self.snapshots)

    def act(self, *steps: dict[str, Any]) -> Block:
        """One action in a block of its own, and its frame."""
        (block,) = self.fold([steps])
        return block

    def fold(self, actions: list[Any]) -> list[Block]:
        """So many actions in one message; a frame for each."""
        self.pushed += 1
        body = [{"type": "run", "args": {"steps": list(steps)}} for steps in actions]
        sent = message(self.pushed, body, sent=SENT + self.pushed)
        folded = self.executor.fold(self.machine, [sent], deadline=NEVER)
        assert folded.error is None, folded.error
        for block in folded.blocks:
            self.tell(block)
        return folded.blocks

    def tell(self, block: Block) -> None:
        for position in range(1, block.actions + 1):
            last = position == block.actions
            self.recorder.after_dispatch(Told(self.history, self.machine, block, position, last))

    def grow(self, count: int) -> None:
        """So many blocks, each another state."""
        for _ in range(count):
            self.act(*steps_of(self.pushed))

    def restore(self, number: int) -> Block:
        """Bring a block back, as a restore block; its frame has no action."""
        assert isinstance(self.recorder, ObjectRecorder)
        restorer = Restorer(
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self.snapshots,
            clock=self.clock,
            schedule=OFF,
        )
        target = Target(self.machine, block=number)
        block = restorer.carry_out(target, deadline=NEVER).block
        self.executor.forget(self.machine)
        self.recorder.after_dispatch(Told(self.history, self.machine, block))
        return block

    @property
    def head(self) -> Block:
        newest = self.log.head(self.machine)
        assert newest is not None
        return newest

    def state(self, number: int | None = None) -> dict[str, Json]:
        """The state after a block; after the newest if None."""
        at = self.head.number if number is None else number
        entries = self.history.at(self.machine, at).sorted_entries()
        return {key: decode(value) for key, value in entries}


def carried_on(recorder: ObjectRecorder, clock: HandClock | None = None) -> Play:
    """Another process that goes on from all that is recorded."""
    archive = ObjectArchive(recorder.objects)
    head = archived_head(archive, recorder.machine)
    live = MemoryBlockLog()
    log = ArchivedBlockLog(live, archive)
    play = Play(recorder.machine, recorder, log=log, clock=clock or HandClock())
    if head is not None:
        live.append(head)
        replica = play.history.at(recorder.machine, head.number)
        writes = [Write(key, value, head.number) for key, value in replica.sorted_entries()]
        play.table.write(recorder.machine, writes)
        play.machines.register(recorder.machine, OFF)
        play.machines.raise_watermark(recorder.machine, "flushed", head.number)
        play.pushed = head.number
    play.begin()
    return play
