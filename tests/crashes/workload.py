"""A workload in which a lost, repeated or reordered action shows, and the laws it is held to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from blockfold import Context, Limits, Machine, Message, Reject, State, action
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryMachines,
    MemoryObjectStore,
    MemoryStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.execute import Executor, Folded
from blockfold.application.read import Reader
from blockfold.application.tail import Bounds
from blockfold.domain import digest
from blockfold.domain.block import Block, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.replay import chained, fold
from blockfold.ports import BlockLog, Machines, Row, SnapshotStore, StateTable
from tests.faults import Faults, Killed, faulty, torn

MACHINE = "ledger.1"
QUEUE = "arn:aws:sqs:eu-west-1:000000000000:actions.fifo"
BATCH = 3
LIMITS = Limits(actions=4)
ROOMY = Bounds()
TIGHT = Bounds(writes=3, chunk=2)
"""A flush takes several chunks, and no block is committed while more than three writes wait."""


class Ledger(Machine):
    """What each action does depends on all before it."""

    @action
    def add(self, state: State, context: Context, name: str, amount: int) -> None:
        state[name] = state.get(name, 0) * 2 + amount

    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state[f"note/{context.ordinal:04d}"] = {"text": text, "draw": context.random.random()}

    @action
    def drop(self, state: State, context: Context, name: str) -> None:
        if name not in state:
            raise Reject(f"there is no {name}")
        del state[name]

    @action
    def sweep(self, state: State, context: Context) -> None:
        notes = [key for key, _ in state.scan("note/")]
        for key in notes:
            del state[key]
        state["swept"] = [*state.get("swept", []), len(notes)]

    @action
    def fill(self, state: State, context: Context, count: int, text: str) -> None:
        for number in range(count):
            state[f"fill/{number:03d}"] = f"{text} {state.get('a')}"

    @action
    def stumble(self, state: State, context: Context) -> None:
        state["never"] = True
        raise RuntimeError("stumbled")


def act(type_: str, **args: object) -> dict[str, object]:
    return {"type": type_, "args": args}


SCRIPT: tuple[object, ...] = (
    act("add", name="a", amount=1),
    [act("add", name="b", amount=2), act("add", name="a", amount=3), act("note", text="x")],
    act("drop", name="a"),
    act("note", text="y"),
    "no action at all",
    [  # does not fit one block
        act("add", name="a", amount=5),
        act("drop", name="b"),
        act("drop", name="nobody"),
        act("stumble"),
        act("note", text="z"),
        act("sweep"),
        act("add", name="b", amount=1),
    ],
    act("sweep"),
    [act("add", name="passing", amount=1), act("drop", name="passing")],
    act("drop", name="nobody"),
    act("add", name="a", amount=7),
)


@dataclass
class Queue:
    """A FIFO group: hands out the first messages that are not acknowledged, again and again."""

    messages: list[Message] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, script: Sequence[object] = SCRIPT) -> Queue:
        queue = cls()
        for content in script:
            queue.send(content)
        return queue

    def send(self, content: object) -> None:
        number = len(self.messages) + 1
        self.messages.append(
            Message(
                id=f"m{number}",
                body=json.dumps(content),
                queue=QUEUE,
                sequence=str(18_849_496_460_467_696_128 + number * 256),
                sent=1_700_000_000_000 + number,
                sender="AIDAIENQZJOLO23YVJ4VO",
            )
        )

    def batch(self) -> list[Message]:
        left = [each for each in self.messages if each.id not in self.acknowledged]
        return left[:BATCH]

    def acknowledge(self, folded: Folded) -> None:
        """Delete what need not come again."""
        again = {each.id for each in folded.again}
        self.acknowledged |= {each.id for each in folded.messages} - again

    def drain(self, fold: Callable[[list[Message]], Folded | None]) -> None:
        """Deliver until all is acknowledged; a fold that gives None died."""
        for _ in range(200):
            batch = self.batch()
            if not batch:
                return
            folded = fold(batch)
            if folded is not None:
                self.acknowledge(folded)
        raise AssertionError(f"messages are never done: {[each.id for each in self.batch()]}")


@dataclass
class Stores:
    """What outlives every process."""

    log: BlockLog = field(default_factory=MemoryBlockLog)
    table: StateTable = field(default_factory=MemoryStateTable)
    machines: Machines = field(default_factory=MemoryMachines)
    machine: str = MACHINE
    snapshots: SnapshotStore = field(default_factory=lambda: ObjectSnapshots(MemoryObjectStore()))
    bounds: Bounds = ROOMY

    def executor(self, faults: Faults) -> Executor:
        """A new process."""
        return Executor(
            machine=Ledger(),
            log=faulty("log", self.log, faults),
            table=torn(self.table, faults),
            machines=faulty("machines", self.machines, faults),
            snapshots=faulty("snapshots", self.snapshots, faults),
            clock=StoppedClock(),
            limits=LIMITS,
            bounds=self.bounds,
        )

    def reader(self) -> Reader:
        return Reader(self.log, self.table, self.machines, self.snapshots)

    def blocks(self) -> list[Block]:
        """The log, each block held against its parent."""
        return list(chained(Head(machine=self.machine), self.log.read(self.machine, 1)))

    def rows(self) -> dict[str, Row]:
        return {row.key: row for row in self.table.scan(self.machine)}

    def flushed(self) -> int:
        record = self.machines.get(self.machine)
        return record.flushed if record else 0


class StoppedClock:
    def now(self) -> int:
        return 1_700_000_100_000

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@dataclass
class Fleet:
    """Executors that take turns; one that dies is replaced by a new one that knows nothing."""

    stores: Stores
    faults: Faults
    size: int = 1
    turn: int = 0
    deaths: int = 0
    _executors: dict[int, Executor] = field(default_factory=dict)

    def fold(self, messages: list[Message]) -> Folded | None:
        place = self.turn % self.size
        self.turn += 1
        executor = self._executors.setdefault(place, self.stores.executor(self.faults))
        folded = None
        with suppress(Killed):
            backlog = len(messages) == BATCH
            folded = executor.fold(self.stores.machine, messages, deadline=1.0, backlog=backlog)
        assert_sound(self.stores)
        if not self.faults.dead:
            return folded
        self.faults.dead = False
        del self._executors[place]
        self.deaths += 1
        return None


def last_rows(blocks: Sequence[Block]) -> dict[str, Row]:
    """The row of each key that a block ever changed."""
    return {
        key: Row(key, value, block.number)
        for block in blocks
        for key, value in block.body.changes.items()
    }


def assert_sound(stores: Stores) -> None:
    """What holds at every moment, whoever died where."""
    blocks = stores.blocks()
    flushed = stores.flushed()
    assert flushed <= len(blocks)
    rows = stores.rows()
    written = {
        Row(key, value, block.number)
        for block in blocks
        for key, value in block.body.changes.items()
    }
    assert set(rows.values()) <= written, "a row that no block wrote"
    for key, row in last_rows(blocks).items():
        assert row.block > flushed or rows.get(key) == row, "flushed, but not stored"
    if blocks:
        folded: dict[str, Canonical] = {}
        for block in blocks:
            fold(folded, block)
        view = stores.reader().state(stores.machine)
        assert (view.number, view.entries) == (len(blocks), dict(sorted(folded.items())))


def assert_done(stores: Stores, queue: Queue) -> None:
    """What holds when all is acknowledged and flushed."""
    assert_sound(stores)
    blocks = stores.blocks()
    assert told(blocks) == expected(queue)
    assert stores.rows() == last_rows(blocks)
    assert stores.flushed() == len(blocks)
    assert blocks[-1].header.digest == digest.digest_of(digest.sum_of(entries(stores).items()))


def told(blocks: Sequence[Block]) -> list[str]:
    """The id of each action that the log holds, in order."""
    return [
        message.action_id(index) for block in blocks for message, index, _ in block.body.actions
    ]


def expected(queue: Queue) -> list[str]:
    """The id of each action that was sent, in order."""
    return [
        f"{message.id}/{position}"
        for message in queue.messages
        for position in range(_length(json.loads(message.body)))
    ]


def outcomes(stores: Stores) -> list[tuple[str | None, str, str | None]]:
    """What became of each action, in order."""
    return [
        (record.type, record.outcome, record.reason)
        for block in stores.blocks()
        for _, _, record in block.body.actions
    ]


def entries(stores: Stores) -> dict[str, Canonical]:
    """The state as the table's raw rows give it."""
    return {key: row.value for key, row in stores.rows().items() if row.value is not None}


def _length(content: object) -> int:
    return len(content) if isinstance(content, list) else 1


_NOBODY = ("drop", "rejected", "there is no nobody")
_STUMBLED = ("stumble", "failed", "RuntimeError: stumbled")

OUTCOMES: list[tuple[str | None, str, str | None]] = [
    ("add", "applied", None),
    ("add", "applied", None),
    ("add", "applied", None),
    ("note", "applied", None),
    ("drop", "applied", None),
    ("note", "applied", None),
    (None, "malformed", "an action is an object, not a string"),
    ("add", "applied", None),
    ("drop", "applied", None),
    _NOBODY,
    _STUMBLED,
    ("note", "applied", None),
    ("sweep", "applied", None),
    ("add", "applied", None),
    ("sweep", "applied", None),
    ("add", "applied", None),
    ("drop", "applied", None),
    _NOBODY,
    ("add", "applied", None),
]
"""What became of each action of `SCRIPT`, worked out by hand."""

ENTRIES = {
    "a": b"17",
    "b": b"1",
    "swept": b"[3,0]",
}
"""The state after `SCRIPT`, worked out by hand."""
