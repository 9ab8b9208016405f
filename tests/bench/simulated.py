"""Our contender on the simulated services, with its requests counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from bench import ours
from bench.counting import Counts, Item, Meter, Table
from bench.server import OURS
from bench.stopwatch import Stopwatch
from bench.workload import Workload, messages
from blockfold.bootstrap import Adapters, executor
from tests.simulation.services import STACK, Call, Cloud, Direct, SimClients

T = TypeVar("T")


class Clock:
    def now(self) -> int:
        return 1_800_000_000_000


class Metered(Direct):
    """Has a meter count each call, as `bench.counting.attach` does for boto3."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.meter = meter

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        answer = super().around(call, effect)
        if call.client == "dynamodb":
            self.meter.count(call.operation, call.params, answer)  # type: ignore[arg-type]
        elif call.client == "s3":
            self.meter.count_object(call.operation, len(call.params.get("Body", b"")))
        return answer


def counted(workload: Workload, how: str, packed: int) -> Counts:
    """Fold a workload, check that all of it stands, and tell what it took."""
    cloud = Cloud(STACK, clock=Clock(), random=Random(1))
    plain = SimClients(cloud)

    def look(table: str, key: Item) -> Item | None:
        found: Item | None = plain.dynamodb.get_item(
            TableName=table, Key=key, ConsistentRead=True
        ).get("Item")
        return found

    names = (STACK.blocks_table, STACK.state_table, STACK.machines_table)
    shapes = dict(zip(names, OURS.values(), strict=True))
    meter = Meter({name: Table(shape.keys) for name, shape in shapes.items()}, look)
    tables = dict(zip(OURS, names, strict=True))
    settings = ours.settings_of(tables, workload.machine)
    settings = replace(settings, snapshots_bucket=STACK.snapshots_bucket)
    adapters = Adapters(settings, SimClients(cloud, Metered(meter)).as_clients())
    found = executor(adapters)
    if how == "log":
        found = ours.log_only(found)
    ours.run(found, how, messages(list(workload.bodies(packed))), Stopwatch())
    ours.check(adapters, how, len(workload.steps))
    return meter.counts
