"""The driller λ: whose turn it is, what it answers, and what an alarm rings on."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from blockfold.application.drill import ROWS_PER_SECOND
from blockfold.domain.errors import Corrupted, Misconfigured, NotFound
from tests.lambdas.conftest import LambdaContext
from tests.lambdas.handlers import imported, metrics_in
from tests.properties.histories import MACHINE
from tests.rebuild.world import World
from tests.snapshots.stack import put

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

module = imported("driller")
LONG = LambdaContext(900_000)
DAY = 86_400_000


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The handler on a stack in memory with four machines, all archived."""
    world = World()
    for machine in (MACHINE, "grove", "south", "é"):
        world.run(put("key", machine), put("gone", 1), machine=machine)
        world.keep(machine)
    monkeypatch.setattr(module, "_drill", world.drill)
    monkeypatch.setattr(module.time, "monotonic", world.clock.monotonic)
    return world


def call(event: Any, context: LambdaContext = LONG) -> dict[str, Any]:
    answer: dict[str, Any] = module.handler(event, context)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def test_a_call_answers_with_the_measures(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    lost = world.run(put("lost", 1), machine="grove")
    world.clock.milliseconds = lost.header.time + 5_000
    answer = call({"machine": "grove"})
    assert answer == {
        "machine": "grove",
        "number": 1,
        "digest": answer["digest"],
        "rpo_blocks": 1,
        "rpo_seconds": 5.0,
        "rto_seconds": 0.008,
        "seconds": 0.0,
        "blocks": 1,
        "rows": 2,
        "rows_per_second": 0.0,
        "findings": [],
        "ok": True,
        "skipped": "",
        "passed_over": {},
    }
    measured = metrics_in(capsys.readouterr().out)
    assert measured == {"RpoBlocks": 1, "RpoSeconds": 5.0, "RtoSeconds": 0.008}


@pytest.mark.parametrize("every", [1, 7])
def test_each_machine_has_its_turn(world: World, every: int) -> None:
    turns = []
    for _ in range(8):
        turns.append(call({"every": every})["machine"])
        world.clock.milliseconds += every * DAY
    assert Counter(turns) == {MACHINE: 2, "grove": 2, "south": 2, "é": 2}
    assert turns[:4] == turns[4:]
    assert call({"every": every}) == call({"every": every})


def test_what_is_wrong_is_an_error(world: World) -> None:
    (segment,) = world.archive.segments("south")
    world.objects.replace(segment.key, b"damaged")
    with pytest.raises(Corrupted, match=r"the drill of machine 'south' found: .*archive"):
        call({"machine": "south"})
    assert call({"machine": "grove"})["findings"] == []


def test_too_late_an_archive_is_an_error(world: World) -> None:
    block = world.run(put("late", 1))
    world.clock.milliseconds = block.header.time + 901_000
    with pytest.raises(Corrupted, match="block 2 is 901 s old and not archived"):
        call({"machine": MACHINE})
    assert call({"machine": MACHINE, "rpo": 902})["rpo_seconds"] == 901.0


def test_a_machine_that_is_too_large_leaves_its_turn_to_the_next(world: World) -> None:
    first = call({"every": 1})["machine"]
    world.run(*(put(f"key/{number}", number) for number in range(9)), machine=first)
    world.keep(first)
    seconds = module.MARGIN_SECONDS + 5 / ROWS_PER_SECOND
    short = LambdaContext(int(seconds * 1000))
    answer = call({"every": 1}, short)
    assert answer["machine"] != first
    assert answer["rows"] == 2
    assert answer["passed_over"].keys() == {first}
    alone = call({"machine": first}, short)
    assert (alone["rows"], alone["skipped"]) == (0, answer["passed_over"][first])


def test_a_machine_without_blocks_is_passed_over(world: World) -> None:
    for record in list(world.machines.list()):
        world.eraser().erase_blocks(record.machine)
        world.objects.delete([each.key for each in world.objects.list("")])
    answer = call({"every": 1})
    assert (answer["machine"], len(answer["passed_over"])) == (None, 4)
    with pytest.raises(NotFound, match="no machine 'grove'"):
        call({"machine": "grove"})


def test_no_machine_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_drill", World().drill)
    assert call({"every": 7}) == {"machine": None, "passed_over": {}}


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"machine": ""},
        {"machine": 7},
        {"every": 0},
        {"every": "weekly"},
        {"machine": "grove", "rpo": "soon"},
        {"machine": "grove", "rpo": -1},
        {"machine": "grove", "command": "drill"},
    ],
)
def test_what_is_no_call_is_told(world: World, event: Any) -> None:
    with pytest.raises(Misconfigured):
        call(event)
