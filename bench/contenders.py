"""Who is measured, and how one run of each is made: a process of its own, on tables of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, Literal

from bench.counting import Meter, Table, read_trace
from bench.peers import install
from bench.server import OURS, Server, Shape, environment
from bench.workload import Workload

Kind = Literal["ours", "castore", "eventsourcing", "naive"]

RUN_SECONDS = 240
SEED = 8
WHOLE = 10**9
HERE = Path(__file__).parent

SHAPES: Mapping[Kind, Mapping[str, Shape]] = {
    "ours": OURS,
    "castore": {
        "events": Shape("aggregateId", ("version", "N"), index=("eventStoreId", "timestamp"))
    },
    "eventsourcing": {"events": Shape("originator_id", ("originator_version", "N"))},
    "naive": {"entities": Shape("entity"), "events": Shape("entity", ("version", "N"))},
}
"""The tables of each, as its documentation says."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do it.

    Attributes:
        key: Names it in the results.
        title: What a reader is told.
        kind: Whose.
        how: Which way of it, see the module that is run.
        packed: Actions of a message; ours only.
        most: Actions of a timed run, at most: who is slow does a part of them.
        counted: Actions of the run whose requests are counted, at most.
    """

    key: str
    title: str
    kind: Kind
    how: str
    packed: int = 1
    most: int = WHOLE
    counted: int = WHOLE

    @property
    def batch(self) -> int:
        """Messages of an invocation."""
        return 1 if self.how == "alone" else BATCH


BATCH = 10
FEW = 300
SOME = 1_000
MANY = 3_000

OURS_STATE = Contender("ours-1", "Blockfold, one action a message", "ours", "state")
OURS_LOG = Contender("ours-1-log", "Blockfold, one a message, log only", "ours", "log")
OURS_PACKED = Contender("ours-100", "Blockfold, 100 a message", "ours", "state", packed=100)
OURS_PACKED_LOG = Contender(
    "ours-100-log", "Blockfold, 100 a message, log only", "ours", "log", packed=100
)
OURS_HANDLER = Contender("ours-handler", "Blockfold, by the handler", "ours", "handler", most=SOME)
OURS_ALONE = Contender(
    "ours-alone", "Blockfold, one an invocation", "ours", "alone", most=FEW, counted=SOME
)
CASTORE_GET = Contender(
    "castore-get", "castore, get + push", "castore", "get_push", most=MANY, counted=SOME
)
CASTORE_PUSH = Contender(
    "castore-push", "castore, push", "castore", "push", most=SOME, counted=SOME
)
CASTORE_FLIGHT = Contender(
    "castore-flight",
    "castore, push, ten in flight",
    "castore",
    "in_flight",
    most=SOME,
    counted=SOME,
)
CASTORE_GROUP = Contender("castore-group", "castore, groups of 100", "castore", "group")
EVENTS_GET = Contender(
    "eventsourcing-get",
    "eventsourcing, get + save",
    "eventsourcing",
    "get_save",
    most=FEW,
    counted=SOME,
)
EVENTS_CACHED = Contender(
    "eventsourcing-cached",
    "eventsourcing, cached",
    "eventsourcing",
    "cached",
    most=FEW,
    counted=SOME,
)
NAIVE = Contender("naive", "item per entity + event", "naive", "naive", most=FEW, counted=SOME)

LEADERBOARD = (
    OURS_STATE,
    CASTORE_GET,
    OURS_PACKED,
    CASTORE_PUSH,
    OURS_LOG,
    CASTORE_GROUP,
    OURS_PACKED_LOG,
    CASTORE_FLIGHT,
    OURS_ALONE,
    EVENTS_GET,
    OURS_HANDLER,
    EVENTS_CACHED,
    NAIVE,
)
"""In the order of a round: ours and theirs in turns."""

OTHERS = (
    OURS_STATE,
    replace(CASTORE_GET, most=FEW),
    OURS_PACKED,
    replace(CASTORE_PUSH, most=FEW),
    NAIVE,
)
"""For the other workloads."""


def part(workload: Workload, most: int) -> Workload:
    """About as many of a workload's actions as are wanted: all of some of its entities.

    So each of them has its whole life, and events and reads per action are those of the whole.
    """
    if len(workload.steps) <= most:
        return workload
    times = Counter(step.entity for step in workload.steps)
    entities = sorted(times)
    Random(SEED).shuffle(entities)  # noqa: S311 - the same part each time
    total = list(accumulate(times[entity] for entity in entities))
    kept = {entity for entity, upto in zip(entities, total, strict=True) if upto <= most}
    return workload.only(lambda _, step: step.entity in kept)


def run(
    contender: Contender, workload: Workload, server: Server, folder: Path, *, counted: bool
) -> dict[str, Any]:
    """One run; what `bench.stopwatch` says, and ``counts`` if its requests are to be counted.

    Raises:
        RuntimeError: It failed.
    """
    some = part(workload, contender.counted if counted else contender.most)
    shapes = SHAPES[contender.kind]
    steps, trace = folder / "steps.json", folder / "trace.jsonl"
    steps.write_text(json.dumps([[each.entity, each.type, each.args] for each in some.steps]))
    trace.unlink(missing_ok=True)
    with server.with_tables(shapes) as tables:
        configuration = {
            "how": contender.how,
            "packed": contender.packed,
            "machine": some.machine,
            "argument": some.argument,
            "steps": str(steps),
            "trace": str(trace) if counted else None,
            "endpoint": server.tables,
            "others": server.others,
            "tables": tables,
            "table": next(iter(tables.values())),
        }
        found = _start(contender, configuration, folder)
        if counted and "counts" not in found:
            meter = Meter({name: _table(shapes[kind]) for kind, name in tables.items()})
            read_trace(trace, meter)
            found["counts"] = meter.counts.to_json()
    return found


def _start(contender: Contender, configuration: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / "configuration.json"
    if contender.kind == "castore":
        configuration["modules"] = str(install.castore())
    path.write_text(json.dumps(configuration))
    done = subprocess.run(
        [*_command(contender), str(path)],
        cwd=HERE.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"{contender.title} ended with {done.returncode}:\n{done.stderr[-3000:]}"
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _command(contender: Contender) -> list[str]:
    if contender.kind == "castore":
        return [install.node(), str(HERE / "peers" / "castore.mjs")]
    if contender.kind == "eventsourcing":
        return [str(install.eventsourcing()), "-m", "bench.peers.eventsourcing_dynamodb"]
    if contender.kind == "naive":
        return [sys.executable, "-m", "bench.peers.naive"]
    return [sys.executable, "-m", "bench.ours"]


def _table(shape: Shape) -> Table:
    return Table(shape.keys, shape.index)
