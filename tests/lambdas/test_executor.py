"""The executor λ against events as SQS FIFO queues deliver them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import pytest

from blockfold import Block, Limits
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines, MemoryStateTable
from blockfold.domain.canonical import decode
from blockfold.domain.errors import Unavailable
from blockfold.ports import MachineRecord, Write
from tests.faults import Faults, fail
from tests.lambdas.conftest import EVENTS, Event, Harness, load

REASONS = (
    None,
    "no JSON",
    "no JSON",
    "empty array",
    "palm",
    "unknown action type 'fly'",
    "nan is no JSON number",
    "an action is an object, not a number",
    None,
    "1e",
    "no JSON",
    None,
)
"""Words of the reason for each action of malformed.json; None for those that were applied."""

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:Blockfold-Actions.fifo"


def ids(event: Event, group: str | None = None) -> list[str]:
    return [
        record["messageId"]
        for record in event["Records"]
        if group in (None, record["attributes"]["MessageGroupId"])
    ]


def recorded(harness: Harness, machine: str) -> list[str]:
    return [message.id for block in harness.blocks(machine) for message in block.body.messages]


def test_one_message_becomes_block_1(harness: Harness) -> None:
    event = load("one_message")
    assert harness.handle(event) == []
    (block,) = harness.blocks("grove")
    (message,) = block.body.messages
    (record,) = event["Records"]
    assert message.id == record["messageId"]
    assert message.sender == record["attributes"]["SenderId"]
    assert message.time == int(record["attributes"]["SentTimestamp"])
    (mark,) = block.body.marks
    assert (mark.queue, mark.sequence) == (QUEUE, record["attributes"]["SequenceNumber"])
    assert block.outcomes == {"applied": 1, "rejected": 0, "failed": 0, "malformed": 0}
    assert list(harness.table.get("grove", ["tree/t1"])) == ["tree/t1"]


def test_each_group_becomes_a_block_of_its_own_machine_in_order(harness: Harness) -> None:
    event = load("three_groups")
    assert harness.handle(event) == []
    for machine in ("north", "south", "east"):
        assert len(harness.blocks(machine)) == 1
        assert recorded(harness, machine) == ids(event, machine)
        record = harness.machines.get(machine)
        assert record is not None
        assert record.flushed == 1
    (block,) = harness.blocks("north")
    assert block.outcomes == {"applied": 5, "rejected": 1, "failed": 0, "malformed": 0}
    assert block.body.messages[-1].sender == "AROAIDPPEZS35WEXAMPLE:session"
    (block,) = harness.blocks("east")
    assert block.outcomes["rejected"] == 1
    assert block.body.messages[1].action_id(0) == "again"


def test_a_batch_delivered_again_changes_nothing(harness: Harness) -> None:
    event = load("three_groups")
    harness.handle(event)
    before = [harness.blocks(machine)[-1].hash for machine in ("north", "south", "east")]
    for _ in range(2):
        harness.forget()
        assert harness.handle(event) == []
    assert [harness.blocks(machine)[-1].hash for machine in ("north", "south", "east")] == before
    assert sum(line["repeated"] for line in harness.told()) == 2 * len(event["Records"])


def test_a_message_delivered_again_with_new_ones_is_executed_once(harness: Harness) -> None:
    event = load("three_groups")
    harness.handle({"Records": event["Records"][:4]})
    harness.forget()
    assert harness.handle({"Records": event["Records"][2:]}) == []
    assert recorded(harness, "north") == ids(event, "north")
    assert [block.number for block in harness.blocks("north")] == [1, 2]


def test_an_empty_batch_is_answered_with_nothing(harness: Harness) -> None:
    with pytest.warns(UserWarning, match="No application metrics"):
        assert harness.handle({"Records": []}) == []


@pytest.mark.parametrize("group", ["north", "south", "east"])
def test_a_group_whose_store_fails_is_delivered_again_the_others_are_done(
    harness: Harness, group: str
) -> None:
    event = load("three_groups")
    harness.log = FailsFor(group)
    assert harness.handle(event) == ids(event, group)
    for machine in {"north", "south", "east"} - {group}:
        assert recorded(harness, machine) == ids(event, machine)
    (trouble,) = [line for line in harness.told() if line["level"] == "WARNING"]
    assert trouble["machine"] == group
    assert "injected" in trouble["error"]
    assert harness.metrics()["FoldErrors"] == [1]


def receipts(event: Event, group: str) -> list[str]:
    return [
        record["receiptHandle"]
        for record in event["Records"]
        if record["attributes"]["MessageGroupId"] == group
    ]


def deliver(event: Event, group: str, times: int) -> None:
    """Have a group look as if the queue delivered it that many times."""
    for record in event["Records"]:
        if record["attributes"]["MessageGroupId"] == group:
            record["attributes"]["ApproximateReceiveCount"] = str(times)


def test_messages_that_are_done_are_not_released(harness: Harness) -> None:
    assert harness.handle(load("three_groups")) == []
    assert harness.queue.released == []


@pytest.mark.parametrize(("times", "seconds"), [(1, 1), (2, 2), (5, 16), (11, 900), (99, 900)])
def test_a_failed_group_is_released_soon_and_later_each_time(
    harness: Harness, times: int, seconds: int
) -> None:
    event = load("three_groups")
    deliver(event, "south", times)
    harness.log = FailsFor("south")
    assert harness.handle(event) == ids(event, "south")
    assert harness.queue.released == [(receipts(event, "south"), seconds)]


def test_how_long_a_group_waits_does_not_depend_on_another_groups_trouble(harness: Harness) -> None:
    event = load("three_groups")
    deliver(event, "north", 9)
    harness.machines = Unregistered()
    assert sorted(harness.handle(event)) == sorted(ids(event))
    assert harness.queue.released == [
        (receipts(event, "north"), 256),
        (receipts(event, "south"), 1),
        (receipts(event, "east"), 1),
    ]


def test_messages_that_cannot_be_released_are_still_reported(harness: Harness) -> None:
    event = load("three_groups")
    harness.log = FailsFor("south")
    harness.queue.trouble = Unavailable("injected: no release")
    assert harness.handle(event) == ids(event, "south")
    assert recorded(harness, "north") == ids(event, "north")
    line = harness.told()[-1]
    assert (line["level"], line["message"], line["messages"]) == ("WARNING", "release failed", 3)
    assert "no release" in line["error"]


@pytest.mark.parametrize(("blocks", "done"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4)])
def test_exactly_the_first_message_that_failed_and_all_behind_it_are_delivered_again(
    harness: Harness, blocks: int, done: int
) -> None:
    """Blocks of one action each, and the log fails after some; the third message holds two."""
    event = load("three_groups")
    north = ids(event, "north")
    harness.log = FailsFor("north", after=blocks)
    harness.limits = Limits(payload=1)
    assert harness.handle(event) == north[done:]
    harness.forget()
    again = [each for each in event["Records"] if each["messageId"] in north[done:]]
    assert harness.handle({"Records": again}) == []
    assert [
        message.action_id(index)
        for block in harness.blocks("north")
        for message, index, _ in block.body.actions
    ] == [f"{id_}/{n}" for id_ in north for n in range(2 if id_ == north[2] else 1)]


def test_while_the_state_table_fails_the_last_message_of_a_group_is_kept(harness: Harness) -> None:
    event = load("three_groups")
    deliver(event, "north", 4)
    harness.table = FailingWrites(Faults({0}, "before", fail))
    north = ids(event, "north")
    assert harness.handle(event) == north[-1:], "the others are acknowledged"
    assert recorded(harness, "north") == north
    line = harness.told()[0]
    assert (line["level"], line["machine"], line["done"]) == ("WARNING", "north", len(north))
    assert "error" not in line
    assert "injected" in line["flush_error"]
    assert line["pending"] > 0
    assert harness.metrics()["FlushErrors"] == [1]
    assert harness.queue.released == [(receipts(event, "north")[-1:], 8)]
    harness.forget()
    assert harness.handle({"Records": [last(event, "north")]}) == []
    assert recorded(harness, "north") == north
    assert flushed(harness, "north") == 1
    assert "tree/n9" in harness.table.get("north", ["tree/n9"])


def test_later_messages_come_with_the_kept_one_in_order(harness: Harness) -> None:
    event = load("three_groups")
    harness.table = FailingWrites(Faults({0}, "before", fail))
    north = [each for each in event["Records"] if each["messageId"] in ids(event, "north")]
    assert harness.handle({"Records": north[:2]}) == [north[1]["messageId"]]
    assert harness.handle({"Records": north[1:]}) == []
    assert recorded(harness, "north") == ids(event, "north")
    assert flushed(harness, "north") == 2


def last(event: Event, group: str) -> Event:
    """A group's last record."""
    found: Event = [
        each for each in event["Records"] if each["attributes"]["MessageGroupId"] == group
    ][-1]
    return found


def flushed(harness: Harness, machine: str) -> int:
    record = harness.machines.get(machine)
    assert record is not None
    return record.flushed


def test_a_defect_in_one_group_does_not_reach_the_others_and_nothing_stays_cached(
    harness: Harness,
) -> None:
    def defect() -> None:
        raise ZeroDivisionError("a defect")

    event = load("three_groups")
    harness.log = FailsFor("north", strike=defect)
    assert harness.handle(event) == ids(event, "north")
    assert recorded(harness, "south") == ids(event, "south")
    assert recorded(harness, "east") == ids(event, "east")
    (line,) = [line for line in harness.told() if line["level"] == "ERROR"]
    assert line["message"] == "fold failed"
    assert line["machine"] == "north"
    assert "ZeroDivisionError: a defect" in line["exception"]
    assert (harness.made, harness._cached) == (1, None)


def test_bodies_that_hold_no_action_are_recorded_and_acknowledged(harness: Harness) -> None:
    event = load("malformed")
    assert harness.handle(event) == []
    (block,) = harness.blocks("grove")
    assert recorded(harness, "grove") == ids(event)
    records = [record for _, _, record in block.body.actions]
    assert len(records) == len(REASONS)
    for record, words in zip(records, REASONS, strict=True):
        assert record.outcome == ("applied" if words is None else "malformed")
        assert words is None or words in (record.reason or "")
    row = harness.table.get("grove", ["tree/t1"])["tree/t1"]
    tree = decode(row.value or b"")
    assert isinstance(tree, dict)
    assert tree["litres"] == 10 + 7


@pytest.mark.parametrize("milliseconds", [0, -5])
def test_without_time_left_nothing_is_begun_and_all_is_delivered_again(
    harness: Harness, milliseconds: int
) -> None:
    event = load("three_groups")
    assert harness.handle(event, milliseconds) == [
        *ids(event, "north"),
        *ids(event, "south"),
        *ids(event, "east"),
    ]
    assert harness.blocks("north") == harness.blocks("south") == []
    assert {seconds for _, seconds in harness.queue.released} == {0}, "time is no trouble"
    assert harness.handle(event) == []


def test_with_little_time_left_the_work_still_goes_on(harness: Harness) -> None:
    """Below the margin, half of what is left is used: a cold start must not end in a standstill."""
    assert harness.handle(load("three_groups"), 2_000) == []


def test_the_log_line_tells_what_became_of_a_group(harness: Harness) -> None:
    event = load("three_groups")
    harness.handle(event)
    north, south, east = harness.told()
    assert [line["machine"] for line in (north, south, east)] == ["north", "south", "east"]
    wanted = {
        "level": "INFO",
        "message": "folded",
        "service": "executor",
        "messages": 5,
        "done": 5,
        "repeated": 0,
        "conflicts": 0,
        "blocks": [1],
    }
    assert {name: north.get(name) for name in wanted} == wanted
    assert not {"error", "flush_error", "replaced_queues"} & set(north)


def test_the_metrics_count_blocks_and_outcomes(harness: Harness) -> None:
    harness.handle(load("three_groups"))
    metrics = {name: sum(values) for name, values in harness.metrics().items()}
    assert metrics == {
        "Blocks": 3,
        "Conflicts": 0,
        "Repeated": 0,
        "Applied": 9,
        "Rejected": 2,
        "Failed": 0,
        "Malformed": 0,
    }


def test_a_queue_that_was_made_again_is_warned_about_and_read_from_its_start(
    harness: Harness,
) -> None:
    event = load("one_message")
    harness.handle(event)
    (record,) = event["Records"]
    record["messageId"] = "0" * 36
    record["attributes"]["SequenceNumber"] = "18849496460467696127"
    record["attributes"]["SentTimestamp"] = str(
        int(record["attributes"]["SentTimestamp"]) + 24 * 3600 * 1000
    )
    assert harness.handle(event) == []
    assert len(harness.blocks("grove")) == 2
    line = harness.told()[-1]
    assert (line["level"], line["replaced_queues"]) == ("WARNING", [QUEUE])


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_the_events_are_as_sqs_makes_them(name: str) -> None:
    records = load(name)["Records"]
    assert 1 <= len(records) <= 10
    sequences = [int(record["attributes"]["SequenceNumber"]) for record in records]
    assert sequences == sorted(set(sequences))
    for record in records:
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode()).hexdigest()
        assert all(isinstance(value, str) for value in record["attributes"].values())


class FailsFor(MemoryBlockLog):
    """A log that once fails to append for one machine, after so many of its blocks."""

    def __init__(self, machine: str, *, after: int = 0, strike: Callable[[], None] = fail) -> None:
        super().__init__()
        self._machine = machine
        self._faults = Faults({after}, "before", strike)

    def append(self, block: Block) -> None:
        store = super().append
        if block.machine == self._machine:
            self._faults.step("append", lambda: store(block))
        else:
            store(block)


class Unregistered(MemoryMachines):
    """A register that nobody can read."""

    def get(self, machine: str) -> MachineRecord | None:
        raise Unavailable("injected: no register")


class FailingWrites(MemoryStateTable):
    """A state table whose writes are steps."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        store = super().write
        self._faults.step("write", lambda: store(machine, writes))
