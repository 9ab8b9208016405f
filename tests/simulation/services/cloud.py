"""What all simulated services of one stack hold, and what time and chance are for them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

from blockfold.settings import Settings
from tests.simulation.services.bus import Bus
from tests.simulation.services.dynamodb.table import Table
from tests.simulation.services.lambda_ import Function
from tests.simulation.services.queues import FifoQueue, Queue, StandardQueue
from tests.simulation.services.s3 import Bucket
from tests.simulation.services.streams import Stream

REGION = "eu-west-1"
ACCOUNT = "123456789012"
_SQS = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"

STACK = Settings(
    blocks_table="Blocks",
    state_table="State",
    machines_table="Machines",
    snapshots_bucket="snapshots",
    event_bus="events",
    actions_queue=f"{_SQS}/Actions.fifo",
    checks_queue=f"{_SQS}/Checks",
)
"""A stack's names; `dataclasses.replace` what a test needs."""

DAY_SECONDS = 24 * 3600

ALL = 1000
"""A page size at which only AWS's own limits cut."""


class Clock(Protocol):
    """Where a cloud's time comes from."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Meta:
    """What a client says of itself."""

    partition: str
    region_name: str


class Cloud:
    """A stack's tables, bucket, queues, bus and functions, as `infra` makes them.

    Args:
        settings: The names.
        clock: Tells the time of all services.
        random: Decides what AWS leaves open.
        page: The most items of a page, of whatever is listed; AWS's own limits hold besides.
        stale: The chance that an eventually consistent read misses a write of the last second.
        visibility: Seconds for which a received action is not received again.
        max_receives: How often an action is received before it goes to `dead_letters`.
    """

    region = REGION
    account = ACCOUNT

    def __init__(
        self,
        settings: Settings = STACK,
        *,
        clock: Clock,
        random: Random | None = None,
        page: int = ALL,
        stale: float = 0.0,
        visibility: int = 360,
        max_receives: int = 1000,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.random = random or Random(0)
        self.page = page
        self.stale = stale
        self.meta = Meta("aws", self.region)
        blocks = Stream(self._arn("dynamodb", f"table/{settings.blocks_table}/stream/1"), self)
        self.tables = {
            settings.blocks_table: Table(
                settings.blocks_table, self, sort=("number", "N"), ttl="expires", stream=blocks
            ),
            settings.state_table: Table(
                settings.state_table, self, sort=("key", "S"), ttl="expires"
            ),
            settings.machines_table: Table(settings.machines_table, self),
        }
        self.buckets = {settings.snapshots_bucket: Bucket()}
        self.bus = Bus(settings.event_bus, self)
        self.failures = self._standard("Failures", retention=14 * DAY_SECONDS)
        self.dead_letters = self._fifo("DeadLetters.fifo", visibility=visibility)
        self.actions = self._fifo(
            settings.actions_queue.rsplit("/", 1)[-1],
            visibility=visibility,
            max_receives=max_receives,
            dead_letters=self.dead_letters,
        )
        self.checks_queue = self._standard(
            settings.checks_queue.rsplit("/", 1)[-1],
            visibility=900,
            retention=DAY_SECONDS,
            max_receives=3,
            dead_letters=self.failures,
        )
        self.queues: dict[str, Queue] = {
            each.url: each
            for each in (self.actions, self.dead_letters, self.checks_queue, self.failures)
        }
        self.executor = Function("Executor", self)
        self.functions = {self.executor.name: self.executor}

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return self.clock.now()

    def chance(self, share: float) -> bool:
        """Whether something happens that happens with this chance."""
        return self.random.random() < share

    @property
    def blocks(self) -> Table:
        """The Blocks table."""
        return self.tables[self.settings.blocks_table]

    @property
    def state(self) -> Table:
        """The State table."""
        return self.tables[self.settings.state_table]

    @property
    def machines(self) -> Table:
        """The Machines table."""
        return self.tables[self.settings.machines_table]

    @property
    def bucket(self) -> Bucket:
        """The bucket."""
        return self.buckets[self.settings.snapshots_bucket]

    def stream(self, table: str | None = None) -> Stream:
        """The stream of a table; of the Blocks table by default."""
        stream = self.tables[table or self.settings.blocks_table].stream
        if stream is None:
            raise KeyError(f"{table} has no stream")
        return stream

    def expire(self, share: float = 1.0) -> int:
        """Drop items and messages whose time has passed; how many.

        Args:
            share: The chance of each expired item to go now: AWS takes up to some days.
        """
        items = sum(table.expire(share) for table in self.tables.values())
        return items + sum(queue.expire() for queue in self.queues.values())

    def _fifo(
        self,
        name: str,
        *,
        visibility: int,
        max_receives: int = 0,
        dead_letters: Queue | None = None,
    ) -> FifoQueue:
        return FifoQueue(
            name=name,
            url=f"{_SQS}/{name}",
            arn=self._arn("sqs", name),
            world=self,
            visibility=visibility,
            retention=14 * DAY_SECONDS,
            max_receives=max_receives,
            dead_letters=dead_letters,
        )

    def _standard(
        self,
        name: str,
        *,
        retention: int,
        visibility: int = 30,
        max_receives: int = 0,
        dead_letters: Queue | None = None,
    ) -> StandardQueue:
        return StandardQueue(
            name=name,
            url=f"{_SQS}/{name}",
            arn=self._arn("sqs", name),
            world=self,
            visibility=visibility,
            retention=retention,
            max_receives=max_receives,
            dead_letters=dead_letters,
        )

    def _arn(self, service: str, name: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{name}"
