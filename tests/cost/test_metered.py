"""What the metered stores count is what the real adapters ask the services for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from blockfold import Message
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.manual_clock import ManualClock
from blockfold.adapters.metered import (
    Meter,
    MeteredBlockLog,
    MeteredMachines,
    MeteredObjectStore,
    MeteredStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.cost import Usage
from blockfold.application.execute import Executor
from blockfold.bootstrap import Adapters
from blockfold.domain.schedule import Schedule
from tests.cost.requests import cloud
from tests.machines_for_tests import Cells
from tests.simulation.services import STACK
from tests.strategies import message

MACHINE = "glade"
NEVER = float("inf")


class Both:
    """The same messages on metered stores and on simulated services."""

    def __init__(self, executors: int = 1) -> None:
        self.meter = Meter()
        log, table = MeteredBlockLog(self.meter), MeteredStateTable(self.meter)
        machines, objects = MeteredMachines(self.meter), MeteredObjectStore(self.meter)
        snapshots, archive = ObjectSnapshots(objects), ObjectArchive(objects)
        _, self.hook, clients = cloud()
        real = Adapters(STACK, clients.as_clients())
        clock = ManualClock()

        def executor(**ports: Any) -> Executor:
            return Executor(machine=Cells(), clock=clock, schedule=Schedule.new(100), **ports)

        self.metered = [
            executor(log=log, table=table, machines=machines, snapshots=snapshots, archive=archive)
            for _ in range(executors)
        ]
        self.real = [
            executor(
                log=real.log,
                table=real.table,
                machines=real.machines,
                snapshots=real.snapshots,
                archive=real.archive,
            )
            for _ in range(executors)
        ]
        self.sent = 0

    def fold(
        self, batch: Sequence[Any], *, by: int = 0, backlog: bool = False, count: int = 0
    ) -> None:
        """Fold messages of so many steps each, by one of the executors."""
        messages = [self._message(steps) for steps in batch]
        if count:
            messages = [replace(each, producer="p1", count=count) for each in messages]
        for executors in (self.metered, self.real):
            folded = executors[by].fold(MACHINE, messages, deadline=NEVER, backlog=backlog)
            assert folded.error is folded.flush_error is None
            assert not folded.left
        assert self.meter.total == self.hook.usage

    def _message(self, steps: Any) -> Message:
        self.sent += 1
        return message(self.sent, [{"type": "run", "args": {"steps": steps}}])


def put(key: str, value: object) -> dict[str, object]:
    return {"do": "set", "key": key, "value": value}


def test_one_message_after_the_other() -> None:
    both = Both()
    for number in range(4):
        both.fold([[put("a", number), put(f"key/{number}", "text")]])
    assert both.meter.total.log_units == 4
    assert both.meter.total.state_units == 8
    assert both.meter.total.machine_units == 5, "it is registered, and flushed four times"
    assert both.meter.total.puts == 1, "the archive is asked whether the machine is new"


def test_many_keys_and_large_ones() -> None:
    both = Both()
    both.fold([[put(f"key/{number:03}", "x" * (number * 100)) for number in range(60)]] * 3)
    both.fold([[put("key/059", 1), {"do": "delete", "key": "key/001"}]])
    both.fold([[put("key/001", "again"), {"do": "list", "key": "found", "value": "key/05"}]])
    assert both.meter.total.state_units > 200, "a value takes a unit for each started KB"


def test_bodies_in_the_bucket() -> None:
    both = Both(executors=2)
    noise = Random(1).randbytes(20_000).hex()  # compresses to its half
    both.fold([[put("noise", noise)]])
    both.fold([[put("a", 1)]], by=1)
    assert both.meter.total.puts == 2


@pytest.mark.parametrize("backlog", [False, True])
def test_a_backlog_and_what_is_flushed_at_its_end(backlog: bool) -> None:
    both = Both()
    both.fold([[put("a", 0)]])
    for number in range(1, 4):
        batch = [[put("a", number), put("b", 10 * number + each)] for each in range(10)]
        both.fold(batch, backlog=backlog)
    both.fold([[put("b", "end")]])
    assert both.meter.total.state_units == (3 if backlog else 8)


def test_executors_that_take_turns() -> None:
    both = Both(executors=3)
    for number in range(9):
        both.fold([[put("a", number), put(f"key/{number}", number)]], by=number % 3)
    first = both.meter.taken()
    both.fold([[put("a", "end")]], by=2)
    assert both.meter.taken().log_units == 1, "nobody was there in between"
    assert first.log_units > 9, "those who were overtaken try in vain first"


def test_what_an_idempotent_producer_sends() -> None:
    both = Both()
    for number in range(1, 4):
        both.fold([[put("a", number)]], count=number)
    assert both.meter.total.state_units == 6, "the key and the producer's counter"


def test_usage_adds_up() -> None:
    one = Usage(log_units=1, calls=2)
    assert one + one == one * 2
    assert one * 2 - one == one
    assert (one * 2).write_units == 2
