"""Blockfold's own run: the executor on the real adapters, warm, fed as SQS feeds it.

``python -m bench.ours <configuration>``, see `bench.stopwatch`. How it is run:

=========  =======================================================================================
state      ten messages a batch, the state table brought up as the executor decides; current at
           the end
log        the same without a state table: blocks only, no flush at all
alone      one message a batch, nothing behind it: the table is current after each
handler    as ``state``, by the real handler of the Lambda function, on a real queue
=========  =======================================================================================
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.counting import Meter, Table, attach
from bench.server import BUCKET, OURS, Server
from bench.stopwatch import Stopwatch, configuration, report
from bench.workload import Step, Workload, messages
from blockfold import Message
from blockfold.adapters.clients import Clients
from blockfold.adapters.memory import MemoryStateTable
from blockfold.adapters.system import collect_seldom
from blockfold.application.execute import Executor, Folded
from blockfold.application.lanes import Share, carry_out
from blockfold.application.tail import Bounds
from blockfold.bootstrap import Adapters, executor
from blockfold.settings import Settings

BATCH = 10
"""Messages that SQS hands over at once."""

MACHINE = "bench"
WARM_UP = "warm-up"
NEVER = float("inf")
UNBOUNDED = Bounds(writes=sys.maxsize, payload=sys.maxsize)


def feed(
    todo: Sequence[Message], size: int, fold: Callable[[list[Message], bool], Sequence[Message]]
) -> None:
    """Hand messages over as a FIFO queue does, those that must come again in front.

    Args:
        todo: The messages of one group.
        size: Most of a batch.
        fold: Takes a batch and whether it is full, and answers which must come again.
    """
    queue = deque(todo)
    while queue:
        batch = [queue.popleft() for _ in range(min(size, len(queue)))]
        queue.extendleft(reversed(fold(batch, len(batch) == size)))


def settings_of(tables: dict[str, str], machine: str) -> Settings:
    """The settings of an executor."""
    return Settings(
        blocks_table=tables["blocks"],
        state_table=tables["state"],
        machines_table=tables["machines"],
        snapshots_bucket=BUCKET,
        machine=machine,
    )


def folding(found: Executor, how: str) -> Callable[[str, list[Message], bool], Folded]:
    """What folds a batch of a machine: (its id, messages, whether the batch is full)."""
    if how == "log":

        def commit(machine: str, batch: list[Message], full: bool) -> Folded:
            folded = Folded(machine, batch, backlog=full)
            carry_out(found.commit(folded, Share(NEVER)))
            return folded

        return commit

    def fold(machine: str, batch: list[Message], full: bool) -> Folded:
        return found.fold(machine, batch, deadline=NEVER, backlog=full)

    return fold


def log_only(found: Executor) -> Executor:
    """An executor without a state table: all that it knows is what it folded."""
    return replace(found, table=MemoryStateTable(), bounds=UNBOUNDED)


def run(found: Executor, how: str, todo: Sequence[Message], watch: Stopwatch) -> list[Folded]:
    """Fold all messages; what became of each batch."""
    fold = folding(found, how)
    done: list[Folded] = []
    size = 1 if how == "alone" else BATCH

    def timed(batch: list[Message], full: bool) -> Sequence[Message]:
        with watch.commit():
            folded = fold(MACHINE, batch, full and how != "alone")
        if folded.failed:
            raise folded.error or folded.flush_error or AssertionError("it failed")
        done.append(folded)
        return folded.left if how == "log" else folded.again

    with watch.running():
        feed(todo, size, timed)
    return done


def check(adapters: Adapters, how: str, actions: int) -> None:
    """Every action stands in a block, and the state table at the head.

    Raises:
        AssertionError: Not so.
    """
    head = adapters.log.head(MACHINE)
    assert head is not None, "there are blocks"
    assert head.head.ordinal == actions, f"{head.head.ordinal} of {actions} actions are in blocks"
    record = adapters.machines.get(MACHINE)
    assert record is not None, "it is registered"
    if how != "log":
        assert record.flushed == head.number, "the state table is current at the end"


def meter_of(adapters: Adapters, look: Clients) -> Meter:
    """A meter of what a stack's adapters send; it looks at items by clients of its own."""
    settings = adapters.settings
    names = (settings.blocks_table, settings.state_table, settings.machines_table)
    kinds = dict(zip(names, OURS.values(), strict=True))
    meter = Meter(
        {name: Table(shape.keys) for name, shape in kinds.items()},
        lambda table, key: look.dynamodb.get_item(TableName=table, Key=key).get("Item"),  # type: ignore[arg-type,return-value]
    )
    attach(meter, adapters.clients.dynamodb, adapters.clients.s3)
    return meter


def main() -> None:
    """Run as configured, and print what was measured."""
    asked = configuration()
    how: str = asked["how"]
    server = Server(asked["endpoint"], asked["others"])
    steps = tuple(Step(*each) for each in json.loads(Path(asked["steps"]).read_text()))
    workload = Workload("", asked["machine"], asked["argument"], "", steps)
    todo = messages(list(workload.bodies(asked["packed"])))
    settings = settings_of(asked["tables"], workload.machine)
    adapters = Adapters(settings, server.clients())
    warm = messages(list(workload.only(lambda at, _: at == 0).bodies(1)), seed=2)
    if how == "handler":
        from bench.handler import run_handler  # noqa: PLC0415 - it makes clients when imported

        report(run_handler(adapters, server, todo, warm))
        return
    found = executor(adapters)
    collect_seldom()  # as the Lambda function does
    if how == "log":
        found = log_only(found)
    folding(found, how)(WARM_UP, warm, False)
    meter = meter_of(adapters, server.clients()) if asked["trace"] else None
    watch = Stopwatch()
    run(found, how, todo, watch)
    result: dict[str, Any] = watch.result(len(steps))
    check(adapters, how, len(steps))
    if meter is not None:
        result["counts"] = meter.counts.to_json()
    report(result)


if __name__ == "__main__":
    os.environ.pop("AWS_ENDPOINT_URL", None)
    main()
