"""The archiver λ on stream events, and what the dumper λ does for the archive."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from blockfold import Block
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.memory import MemoryChecks, MemoryObjectStore
from blockfold.application.checks import Checker
from blockfold.application.ship import Shipper
from blockfold.domain.errors import Corrupted, NotFound, Unavailable
from blockfold.domain.schedule import Schedule
from tests.archive.shelves import compactor_of
from tests.lambdas.conftest import Event, LambdaContext, load
from tests.lambdas.handlers import imported, metrics_in
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

module = imported("archiver")
dumper = imported("dumper")

BLOCKS = [("grove/1", 1), ("south", 1), ("grove/1", 2), ("south", 2), ("grove/1", 3)]
LONG = LambdaContext(900_000)


class Bucket(MemoryObjectStore):
    """Refuses to store for some machines; counts what is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: Callable[[str], bool] = lambda key: False
        self.puts = 0

    def put_new(self, key: str, data: bytes) -> bool:
        self.puts += 1
        if self.refused(key):
            raise Unavailable("injected: the bucket did not answer")
        return super().put_new(key, data)


class Adapters:
    """What of the wiring the handler uses."""

    def __init__(self) -> None:
        self.objects = Bucket()
        for key, data in load("stream/bodies").items():
            self.objects.replace(key, base64.b64decode(data))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The handler on a bucket in memory."""
    adapters = Adapters()
    monkeypatch.setattr(module, "_adapters", lambda: adapters)
    monkeypatch.setattr(module, "_shipper", lambda: Shipper(ObjectArchive(adapters.objects)))
    return adapters.objects


@pytest.fixture
def event() -> Event:
    return load("stream/blocks")


def handle(event: Event) -> list[str]:
    """Sequence numbers to deliver again; the answer's shape is checked."""
    answer = module.handler(event, LambdaContext())
    assert set(answer) == {"batchItemFailures"}
    assert json.loads(json.dumps(answer)) == answer
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def inserts(event: Event) -> list[dict[str, Any]]:
    return [each["dynamodb"] for each in event["Records"] if each["eventName"] == "INSERT"]


def archived(bucket: MemoryObjectStore, machine: str) -> list[Block]:
    archive = ObjectArchive(bucket)
    return [block for each in archive.segments(machine) for block in archive.read(each)]


def test_every_block_is_archived_by_one_put_a_machine(bucket: Bucket, event: Event) -> None:
    assert handle(event) == []
    assert bucket.puts == 2
    for machine, numbers in (("grove/1", [1, 2, 3]), ("south", [1, 2])):
        assert [block.number for block in archived(bucket, machine)] == numbers
    wanted = {base64.b64decode(each["NewImage"]["hash"]["B"]).hex() for each in inserts(event)}
    assert {b.hash for name in ("grove/1", "south") for b in archived(bucket, name)} == wanted


def test_a_body_that_stands_in_the_bucket_is_in_the_segment(bucket: Bucket, event: Event) -> None:
    handle(event)
    spilled = archived(bucket, "grove/1")[1]
    bucket.delete([each.key for each in bucket.list("machines/grove%2F1/log/")])
    again = archived(bucket, "grove/1")[1]
    assert again.payload == spilled.payload
    assert len(again.body.messages) > 0


def test_a_repeat_changes_nothing(bucket: Bucket, event: Event) -> None:
    handle(event)
    once = dict(bucket._objects)
    handle(copy.deepcopy(event))
    assert bucket._objects == once


def test_metrics_say_what_was_archived_and_what_was_not(
    bucket: Bucket, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    handle(event)
    assert metrics_in(capsys.readouterr().out) == {"Shipped": 5}
    bucket.refused = lambda key: "/south/" in key
    handle(event)
    assert metrics_in(capsys.readouterr().out) == {"Shipped": 3, "ShipErrors": 2}


@pytest.mark.parametrize("machine", ["grove%2F1", "south"])
def test_a_machine_whose_blocks_are_refused_keeps_no_other_back(
    bucket: Bucket, event: Event, machine: str
) -> None:
    bucket.refused = lambda key: f"/{machine}/" in key
    first = 0 if machine.startswith("grove") else 1
    assert handle(event) == [inserts(event)[first]["SequenceNumber"]]
    other = "south" if machine.startswith("grove") else "grove/1"
    assert len(archived(bucket, other)) == len([each for each in BLOCKS if each[0] == other])
    bucket.refused = lambda key: False
    assert handle({"Records": event["Records"][first:]}) == []
    for name in ("grove/1", "south"):
        assert {b.number for b in archived(bucket, name)} == {n for m, n in BLOCKS if m == name}


@pytest.mark.parametrize("position", range(5))
def test_a_block_that_cannot_be_read_does_not_take_the_others_along(
    bucket: Bucket, event: Event, position: int
) -> None:
    inserts(event)[position]["NewImage"]["hash"]["B"] = base64.b64encode(bytes(32)).decode()
    assert handle(event) == [inserts(event)[position]["SequenceNumber"]]
    found = {(b.machine, b.number) for m in ("grove/1", "south") for b in archived(bucket, m)}
    assert found == set(BLOCKS) - {BLOCKS[position]}


def test_what_is_no_insert_is_nothing(bucket: Bucket, event: Event) -> None:
    others = [each for each in event["Records"] if each["eventName"] != "INSERT"]
    assert others
    assert handle({"Records": others}) == []
    assert bucket.puts == 0


# -- the dumper --------------------------------------------------------------------------------


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Seven blocks, a snapshot due at every second; the first five were shipped."""
    stack = Stack(schedule=Schedule.new(2))
    stack.grow(7)
    Shipper(ObjectArchive(stack.objects)).ship(stack.blocks()[:5])
    monkeypatch.setattr(dumper, "_dumper", stack.dumper)
    monkeypatch.setattr(dumper, "_checker", lambda: Checker(stack.dumper(), MemoryChecks()))
    monkeypatch.setattr(dumper, "_compactor", lambda: compactor_of(stack))
    return stack


def watermark(stack: Stack, machine: str = MACHINE) -> int:
    record = stack.machines.get(machine)
    assert record is not None
    return record.archived


def test_after_a_dump_the_archive_is_compacted(stack: Stack) -> None:
    dumper.handler(load("bus/block_executed"), LONG)
    assert stack.taken() == [2, 4]
    assert watermark(stack) == 5


def test_a_sweep_compacts_machines_without_a_schedule_too(stack: Stack) -> None:
    stack.machines.register("other")
    stack.grow(3, "other")
    Shipper(ObjectArchive(stack.objects)).ship(stack.blocks("other"))
    dumper.handler({"sweep": True}, LONG)
    assert (watermark(stack), watermark(stack, "other")) == (5, 3)


def test_the_command_archives_up_to_the_head(stack: Stack) -> None:
    call = {"machine": MACHINE, "command": "archive"}
    answer = {"machine": MACHINE, "archived": 7, "segments": 1, "healed": 0}
    assert dumper.handler(call, LONG) == answer
    assert dumper.handler(call, LONG) == answer
    with pytest.raises(NotFound, match="no machine 'nobody'"):
        dumper.handler({**call, "machine": "nobody"}, LONG)


def test_trouble_with_the_archive_is_no_trouble_of_the_dump(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    (segment,) = ObjectArchive(stack.objects).segments(MACHINE)
    stack.objects.replace(segment.key, b"damaged")
    stack.log._blocks[MACHINE].pop(4)  # type: ignore[attr-defined]
    with pytest.raises(Corrupted):
        dumper.handler({"machine": MACHINE, "command": "archive"}, LONG)
    capsys.readouterr()
    answer = dumper.handler(due(2), LONG)
    assert answer == {"machine": MACHINE, "snapshots": [2]}
    found = metrics_in(capsys.readouterr().out)
    assert found == {"Snapshots": 1, "ArchiveErrors": 1, "ArchiveTrouble": 1}


def due(number: int) -> Event:
    event = load("bus/block_executed")
    event["detail"]["number"] = number
    return event


def test_what_was_healed_is_counted_under_the_functions_name(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.clock.milliseconds += 3_600_000
    dumper.handler(due(2), LONG)
    assert watermark(stack) == 7
    blobs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (blob,) = [each for each in blobs if "ArchiveHealed" in each]
    assert sum(blob["ArchiveHealed"]) == 2
    assert blob["function"] == LONG.function_name
    assert blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["function"]]
    assert blob["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Blockfold"


def test_a_failing_snapshot_does_not_keep_blocks_out_of_the_archive(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def sweep(self, *, deadline: float) -> None:
            raise Unavailable("injected")

    monkeypatch.setattr(dumper, "_dumper", Failing)
    with pytest.raises(Unavailable):
        dumper.handler({"sweep": True}, LONG)
    assert watermark(stack) == 5
