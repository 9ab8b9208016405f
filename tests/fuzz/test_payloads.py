"""Payloads of every handler that are no such payloads: an answer, or an error of ours."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.memory import (
    MemoryChecks,
    MemoryEventBus,
    MemoryMachines,
    MemoryObjectStore,
)
from blockfold.application.announce import Announcer
from blockfold.application.checks import Checker
from blockfold.application.execute import Executor
from blockfold.application.ship import Shipper
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.schedule import Schedule
from machines.forest import Forest
from tests.archive.shelves import compactor_of
from tests.fuzz.payloads import ODD, mutated
from tests.lambdas.conftest import EVENTS, LambdaContext, ReleasingQueue, load
from tests.lambdas.handlers import imported
from tests.properties.histories import MACHINE
from tests.pruning.stack import aged
from tests.rebuild.world import World
from tests.snapshots.stack import Stack, put

pytestmark = pytest.mark.filterwarnings("ignore")

TRIES = 5_000 if os.environ.get("BLOCKFOLD_SOAK") else 250
LONG = LambdaContext(900_000)

Payloads = list[Any]
Wired = Callable[[pytest.MonkeyPatch], tuple[Any, Payloads]]


def executor(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, stack = imported("executor"), Stack()
    made: Executor = stack.executor(machine=Forest())
    patch.setattr(module, "_executor", SimpleNamespace(cache_clear=lambda: None))
    factory: Any = lambda: made  # noqa: E731 - it needs an attribute
    factory.cache_clear = lambda: None
    patch.setattr(module, "_executor", factory)
    patch.setattr(module, "_queue", ReleasingQueue)
    names = ("one_message", "three_groups", "malformed")
    return module, [load(name) for name in names if (EVENTS / f"{name}.json").exists()]


def stored() -> Any:
    objects = MemoryObjectStore()
    for key, data in load("stream/bodies").items():
        objects.put_new(key, base64.b64decode(data))
    return SimpleNamespace(objects=objects)


def announcer(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, adapters, machines = imported("announcer"), stored(), MemoryMachines()
    machines.register("grove/1", Schedule.new(2))
    patch.setattr(module, "_adapters", lambda: adapters)
    patch.setattr(module, "_announcer", lambda: Announcer(machines, MemoryEventBus()))
    return module, [load("stream/blocks")]


def archiver(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, adapters = imported("archiver"), stored()
    patch.setattr(module, "_adapters", lambda: adapters)
    patch.setattr(module, "_shipper", lambda: Shipper(ObjectArchive(adapters.objects)))
    return module, [load("stream/blocks")]


def dumper(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, stack = imported("dumper"), Stack(schedule=Schedule.new(2))
    stack.grow(5)
    patch.setattr(module, "_dumper", stack.dumper)
    patch.setattr(module, "_checker", lambda: Checker(stack.dumper(), MemoryChecks()))
    patch.setattr(module, "_compactor", lambda: compactor_of(stack))
    call = {"machine": MACHINE}
    return module, [
        load("bus/block_executed"),
        load("checks/two_machines"),
        {"sweep": True},
        *({**call, "command": name} for name in ("start", "stop", "archive", "status")),
        {**call, "command": "set_count", "count": 3},
        {**call, "command": "set_policy", "quiet": 3, "quiet_most": 60, "bytes": 1_000_000},
        {**call, "command": "dump", "at": 3},
    ]


def pruner(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, stack = imported("pruner"), aged()
    patch.setattr(module, "_pruner", stack.pruner)
    patch.setattr(module, "time", SimpleNamespace(monotonic=stack.clock.monotonic))
    call = {"machine": MACHINE}
    return module, [
        {"sweep": True},
        {**call, "command": "prune", "dry_run": True},
        {**call, "command": "status"},
        {**call, "command": "set_retention", "snapshots": 3, "thin": ["1h/2d"], "blocks": 20},
        {**call, "command": "set_retention", "days": 3, "thin": None},
    ]


def driller(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, world = imported("driller"), World()
    world.run(put("key", 1))
    world.keep(MACHINE)
    patch.setattr(module, "_drill", world.drill)
    return module, [{"every": 1}, {"machine": MACHINE, "rpo": 60}]


def restorer(patch: pytest.MonkeyPatch) -> tuple[Any, Payloads]:
    module, stack = imported("restorer"), Stack()
    stack.grow(4)
    patch.setattr(module, "_restorer", stack.restorer)
    call = {"machine": MACHINE}
    return module, [
        {**call, "block": 2},
        {**call, "snapshot": 2, "dry_run": True},
        {**call, "time": "2026-01-31T12:00:00Z", "as": "fork"},
        {**call, "block": 2, "begin_large": True},
        {**call, "import": "machines/m/pinned/000000000000-0123456789abcdef.json"},
        {**call, "resume": True},
        {**call, "step": "split"},
        {**call, "step": "fill", "number": 3, "after": "a", "upto": "b"},
        {**call, "step": "finish"},
    ]


@pytest.mark.parametrize(
    "wired", [executor, announcer, archiver, dumper, pruner, driller, restorer]
)
def test_a_payload_is_answered_or_refused_by_an_error_of_ours(
    wired: Wired, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, good = wired(monkeypatch)
    random = Random(TRIES)
    payloads = [*ODD, *(mutated(random.choice(good), random) for _ in range(TRIES))]
    refused = 0
    for payload in payloads:
        try:
            answer = module.handler(payload, LONG)
        except BlockfoldError:
            refused += 1
            continue
        except Exception as error:
            error.add_note(f"payload: {payload!r:.2000}")
            raise
        json.dumps(answer)
    assert refused > len(payloads) // 20, "most of them are no good"


def test_each_handler_is_tried() -> None:
    folder = Path(__file__).parents[2] / "lambdas"
    names = {each.stem for each in folder.glob("*.py")} - {"__init__"}
    assert names == {
        each.__name__ for each in (executor, announcer, archiver, dumper, pruner, driller, restorer)
    }
