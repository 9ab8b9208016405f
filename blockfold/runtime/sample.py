"""Execute a sample of actions in memory, by the code that the functions run, and count.

One machine is executed as the queue would hand it over: so many messages an invocation, so far
apart, now by this executor and now by another. Blocks are archived, snapshots made, sweeps run.
What that takes is what a machine of that shape takes on AWS, but for the reducers' own luck.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from uuid import UUID

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.envelope import seal
from blockfold.adapters.manual_clock import ManualClock
from blockfold.adapters.metered import (
    Meter,
    MeteredBlockLog,
    MeteredMachines,
    MeteredObjectStore,
    MeteredStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.announce import block_executed, domain_events
from blockfold.application.compact import Compactor
from blockfold.application.cost import Counts, Shape, Usage
from blockfold.application.cost.settings import CACHED, CACHED_SECONDS
from blockfold.application.cost.workload import MESSAGES
from blockfold.application.dump import Dumper
from blockfold.application.execute import Executor
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.prune import Pruner
from blockfold.application.read import Reader
from blockfold.application.ship import Shipper
from blockfold.domain.action import Message
from blockfold.domain.block import Block
from blockfold.domain.errors import Misconfigured
from blockfold.domain.machine import Machine
from blockfold.domain.schedule import Schedule
from blockfold.domain.units import sqs_requests

MOST = 6_000
"""Actions of a sample, unless few invocations take more."""

FEWEST = 12
"""Invocations of a sample, if there are so many actions."""

OTHERS = 4
"""Executors that stand for all others: what one missed is at least so much."""

SETTLE = 60
SETTLE_ACTIONS = 6_000
"""Invocations, and their actions, until executors know of each other."""

SNAPSHOTS = 3

MACHINE = "leaderboard-0001"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:Blockfold-QueuesActionsE5F4A30C-a1b2c3d4e5f6.fifo"
SENDER = "AROAEXAMPLEEXAMPLEEXA:producer"
PRODUCER = "5e3d0b7c2a914f6f8b1d9c64"
NEVER = float("inf")


def sample(
    machine: Machine,
    actions: Iterable[str],
    shape: Shape,
    *,
    count: int = 100,
    archive_seconds: int = 10,
    warm: int = 0,
    most: int = MOST,
) -> Counts:
    """Execute actions, and count what it takes.

    Args:
        machine: The reducers.
        actions: One JSON object each, as `blockfold push` takes them; all that are needed are
            taken, or all that there are.
        shape: How they come.
        count: Blocks from one snapshot to the next; 0 for none.
        archive_seconds: How long blocks gather for the archive.
        warm: Actions that are executed before, to have the state that the others find.
        most: Actions that are executed at most, unless few invocations take more.

    Raises:
        Misconfigured: There are no actions.
    """
    made = _Sample(machine, iter(actions), shape, count, archive_seconds, most)
    return made.run(warm)


class _Sample:
    """A machine on metered stores."""

    def __init__(
        self,
        machine: Machine,
        actions: Iterator[str],
        shape: Shape,
        count: int,
        window: int,
        most: int,
    ) -> None:
        self.shape, self.batch = shape, shape.batch
        busy = shape.turnaround(self.batch)
        self.queued = shape.gap <= busy
        self.gap = max(shape.gap, busy)
        self.window = max(float(window), 0.001)
        self.clock = ManualClock()
        self.meter = Meter()
        self.log = MeteredBlockLog(self.meter)
        self.table = MeteredStateTable(self.meter)
        self.machines = MeteredMachines(self.meter)
        self.objects = MeteredObjectStore(self.meter)
        self.objects.now = self.clock.now
        self.archive = ObjectArchive(self.objects)
        self.random = Random(1)  # noqa: S311 - the same sample each time
        each = self.batch * shape.per_message
        self.invocations = max(FEWEST, min(SNAPSHOTS * max(count, 50), most // each))
        self.step = min(count, max(1, self.invocations // SNAPSHOTS))
        self.executors = [
            self._executor(machine) for _ in range(min(shape.environments, 1 + OTHERS))
        ]
        self.last = self.executors[0]
        self._actions = actions
        self._sent = 0
        self._waiting: deque[Message] = deque()
        self._shipped: list[Block] = []
        self._ships_at = self.window
        self._dumped = Usage()

    def run(self, warm: int) -> Counts:
        """Warm up, execute, and look at what is left."""
        self._warm_up(warm)
        if warm and len(self.executors) > 1:
            self._settle()
        before = self.log.bytes, self.log.spilled, self.log.spilled_bytes
        self.meter.taken()
        blocks: list[Block] = []
        executor = Usage()
        messages = invocations = received = released = conflicts = bytes_ = snapshots = 0
        stored = self._snapshot_bytes
        first = self.log.head(MACHINE)
        begin = first.number if first else 0
        self.meter.taken()
        while invocations < self.invocations:
            # What comes again at once comes by itself, unless more is waiting by then.
            alone = self._waiting and not self.queued
            most = 0 if alone else self.batch - len(self._waiting)
            new = list(islice(self._messages(), most))
            if not new and not alone:
                break
            messages += len(new)
            bytes_ += sum(map(_size, new))
            batch = [*self._waiting, *new]
            received += sqs_requests(sum(map(_size, batch)))
            self.clock.advance(self.shape.timing.deliver if alone else self.gap)
            more = len(batch) == MESSAGES and invocations < self.invocations - 1
            folded = self._pick().fold(MACHINE, batch, deadline=NEVER, backlog=more)
            if trouble := folded.error or folded.flush_error:
                raise trouble
            executor += self.meter.taken()
            self._waiting = deque(folded.again)
            released += bool(self._waiting)
            conflicts += folded.conflicts
            invocations += 1
            blocks += folded.blocks
            snapshots += self._after(folded.blocks, begin)
        if not blocks:
            raise Misconfigured("the sample has no actions", hint="one JSON object a line")
        self._ship()
        self.meter.taken()
        rows, row_bytes = self.table.items
        return Counts(
            actions=sum(block.actions for block in blocks),
            messages=messages,
            invocations=invocations,
            blocks=len(blocks),
            message_bytes=bytes_,
            received=received,
            released=released,
            conflicts=conflicts,
            executor=executor,
            spilled=self.log.spilled - before[1],
            events=sum(
                sqs_requests(len(each.detail))
                for block in blocks
                for each in (block_executed(block, due=False), *domain_events(block))
            ),
            block_bytes=self.log.bytes - before[0],
            spilled_bytes=self.log.spilled_bytes - before[2],
            archive_bytes=self._archived(begin),
            rows=rows,
            row_bytes=row_bytes,
            record_bytes=self.machines.size(MACHINE),
            step=self.step,
            snapshots=snapshots,
            dumper=self._dumped,
            snapshot_bytes=self._snapshot_bytes - stored,
            sweep=self._swept(),
            prune=self._pruned(),
            read=self._read(blocks[-1]),
        )

    # -- executing -------------------------------------------------------------------------------

    def _executor(self, machine: Machine) -> Executor:
        return Executor(
            machine=machine,
            log=self.log,
            table=self.table,
            machines=self.machines,
            snapshots=self._snapshots,
            clock=self.clock,
            schedule=Schedule.new(self.step),
            archive=self.archive,
        )

    def _warm_up(self, actions: int) -> None:
        """Execute actions in large messages, so that the others find a state."""
        while actions > 0 and (body := _body(islice(self._actions, min(actions, 1_000)))):
            self.last.fold(MACHINE, [self._message(body)], deadline=NEVER)
            actions -= 1_000
        if (head := self.log.head(MACHINE)) is not None:
            self._shipped = list(self.log.read(MACHINE, 1, head.number))
            self._ship()
            self._dumper.make_due(MACHINE, head.number, deadline=NEVER)
            self._compactor.compact(MACHINE, deadline=NEVER)

    def _settle(self) -> None:
        """Let the executors find out that they are not alone: they look first, then."""
        each = self.batch * self.shape.per_message
        for _ in range(min(SETTLE, SETTLE_ACTIONS // each)):
            if new := list(islice(self._messages(), self.batch)):
                self.clock.advance(self.gap)
                self._after(self._pick().fold(MACHINE, new, deadline=NEVER).blocks, 0)
        self._dumped = Usage()

    def _messages(self) -> Iterator[Message]:
        while body := _body(islice(self._actions, self.shape.per_message)):
            yield self._message(body)

    def _message(self, body: str) -> Message:
        self._sent += 1
        return Message(
            id=str(UUID(int=self.random.getrandbits(128), version=4)),
            body=body,
            queue=QUEUE,
            sequence=f"{18_849_496_460_467_696_128 + self._sent * 256}",
            sent=self.clock.now(),
            sender=SENDER,
            producer=PRODUCER if self.shape.producer else "",
            count=self._sent if self.shape.producer else 0,
        )

    def _pick(self) -> Executor:
        """The executor that gets the next batch: any, and it may have forgotten the machine."""
        count = self.shape.environments
        kept = min(1.0, CACHED * count / self.shape.machines)
        others = [each for each in self.executors if each is not self.last]
        forgets = self.random.random() >= kept
        if others and self.random.random() >= 1 / count:
            self.last = self.random.choice(others)
            forgets = forgets or self.shape.gap * count >= CACHED_SECONDS
        if forgets:
            self.last.forget(MACHINE)
        return self.last

    # -- what follows ----------------------------------------------------------------------------

    def _after(self, blocks: list[Block], begin: int) -> int:
        """Archive blocks when their time has come, and make the snapshots that are due."""
        self._shipped += blocks
        if self.clock.monotonic() >= self._ships_at:
            self._ship()
        self.meter.taken()
        made = 0
        for block in blocks:
            if self.step and (block.number - begin) % self.step == 0:
                made += 1
                self._dumper.dump(MACHINE, block.number)
                record = self.machines.get(MACHINE)
                assert record is not None, "it has blocks"
                self.machines.raise_dumped(record, block.number)
                self._compactor.compact(MACHINE, deadline=NEVER)
        self._dumped += self.meter.taken()
        return made

    def _ship(self) -> None:
        Shipper(self.archive).ship(self._shipped)
        self._shipped = []
        self._ships_at = self.clock.monotonic() + self.window

    @property
    def _snapshots(self) -> ObjectSnapshots:
        return ObjectSnapshots(self.objects, now=self.clock.now)

    @property
    def _dumper(self) -> Dumper:
        log = ArchivedBlockLog(self.log, self.archive, monotonic=self.clock.monotonic)
        kept = KeptSettings(self.objects)
        return Dumper(log, self.machines, self._snapshots, self.clock, kept)

    @property
    def _compactor(self) -> Compactor:
        kept = KeptSettings(self.objects)
        return Compactor(self.log, self.archive, self.machines, self.clock, kept)

    # -- at the end ------------------------------------------------------------------------------

    @property
    def _snapshot_bytes(self) -> int:
        return self.objects.bytes_below("/runs/") + self.objects.bytes_below("/snapshots/")

    def _archived(self, begin: int) -> int:
        """Bytes that the counted blocks take in the archive, once its segments are merged."""
        blocks = self.log.read(MACHINE, begin + 1)
        return sum(each.bytes for each in ObjectArchive(MeteredObjectStore(Meter())).write(blocks))

    def _swept(self) -> Usage:
        """The hourly sweep, when there is nothing to do."""
        for _ in range(2):
            self.meter.taken()
            self._dumper.sweep(deadline=NEVER)
            list(self.machines.list())  # the sweep of policies
            self._compactor.sweep(deadline=NEVER)
        return self.meter.taken()

    def _pruned(self) -> Usage:
        """The daily sweep, of a machine that had blocks since: one look more, if nothing goes."""
        self.meter.taken()
        pruner = Pruner(
            log=self.log,
            machines=self.machines,
            snapshots=self._snapshots,
            archive=self.archive,
            objects=self.objects,
            clock=self.clock,
        )
        list(self.machines.list())
        self.log.head(MACHINE)
        pruner.plan(MACHINE, thorough=False)
        return self.meter.taken()

    def _read(self, newest: Block) -> Usage:
        """An exact read of one key."""
        self.meter.taken()
        key = next(iter(newest.body.set), "")
        Reader(self.log, self.table, self.machines, self._snapshots).state(MACHINE, key=key)
        return self.meter.taken()


def _body(actions: Iterator[str]) -> str:
    """Actions as the body of one message; empty if there are none."""
    chosen = list(actions)
    if len(chosen) < 2:  # noqa: PLR2004 - one stands by itself
        return "".join(chosen)
    return f"[{','.join(chosen)}]"


def _size(message: Message) -> int:
    """Bytes of a message as the producer sends it."""
    return len(seal(message.body)[0].encode())
