"""What only the simulator can show: time, chance, lies, and what the scheduler may do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ReadTimeoutError

from blockfold.adapters.intake import FORGOTTEN, LambdaIntake
from blockfold.adapters.s3 import PUT_ATTEMPTS
from blockfold.bootstrap import Adapters
from blockfold.domain.canonical import encode
from blockfold.domain.errors import Unavailable
from blockfold.ports import Check, Write
from tests.clocks import SetClock
from tests.contracts.samples import chain
from tests.lambdas.conftest import load
from tests.simulation.contract.backends import Clock, code_of
from tests.simulation.services import (
    STACK,
    Call,
    Cloud,
    Direct,
    PartFailed,
    SimClients,
    faults,
)

T = TypeVar("T")
ALL_KINDS = ("INSERT", "MODIFY", "REMOVE")
NOTHING: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def cloud(clock: Clock) -> Cloud:
    return Cloud(STACK, clock=clock, random=Random(7), visibility=60, max_receives=3)


@pytest.fixture
def clients(cloud: Cloud) -> SimClients:
    return SimClients(cloud)


def put(clients: SimClients, key: str, number: int = 1, **more: Any) -> None:
    item = {"machine": {"S": "m"}, "key": {"S": key}, "block": {"N": str(number)}, **more}
    clients.dynamodb.put_item(TableName=STACK.state_table, Item=item)


def keys(cloud: Cloud) -> list[str]:
    return [item["key"]["S"] for item in cloud.state.items()]


def push(clients: SimClients, group: str, body: str, deduplication: str = "") -> str:
    answer = clients.sqs.send_message(
        QueueUrl=STACK.actions_queue,
        MessageBody=body,
        MessageGroupId=group,
        MessageDeduplicationId=deduplication or body,
    )
    return str(answer["MessageId"])


def bodies(batch: Any) -> list[str]:
    return [each["body"] for each in batch.event["Records"]] if batch else []


# -- the hook --------------------------------------------------------------------------------------


class Log(Direct):
    """Writes calls and parts down."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        self.seen.append(f"{call.client}.{call.operation}")
        return super().around(call, effect)

    def part(self, call: Call, index: int, do: Callable[[], T]) -> T:
        self.seen.append(f"{call.operation}[{index}]")
        return super().part(call, index, do)


def test_every_call_and_every_part_goes_through_the_hook(cloud: Cloud) -> None:
    log = Log()
    adapters = Adapters(cloud.settings, SimClients(cloud, log).as_clients())
    adapters.table.write("m", [Write("a", encode(1), 1), Write("b", None, 1, new=True)])
    assert adapters.table.get("m", ["a", "b"]).keys() == {"a", "b"}
    adapters.objects.put_new("k", b"x")
    adapters.objects.delete(["k"])
    counts = Counter(log.seen)
    assert counts["dynamodb.BatchExecuteStatement"] == 2  # a was thought to be there
    assert counts["BatchExecuteStatement[0]"] == 2
    assert counts["BatchExecuteStatement[1]"] == 1
    assert counts["dynamodb.BatchGetItem"] == 1
    assert counts["BatchGetItem[0]"] == counts["BatchGetItem[1]"] == 1
    assert counts["s3.PutObject"] == counts["s3.DeleteObjects"] == counts["DeleteObjects[0]"] == 1


class Failing(Direct):
    """Fails chosen parts, once each, after they were done or before."""

    def __init__(self, *indices: int, code: str, after: bool = False) -> None:
        super().__init__()
        self.left = set(indices)
        self.code = code
        self.after = after

    def part(self, call: Call, index: int, do: Callable[[], T]) -> T:
        if index not in self.left:
            return do()
        self.left.remove(index)
        if self.after:
            do()
        raise PartFailed(self.code)


@pytest.mark.parametrize("after", [False, True])
def test_parts_that_fail_are_tried_again_until_all_is_done(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def over(*indices: int, code: str = "InternalServerError") -> Adapters:
        hook = Failing(*indices, code=code, after=after)
        return Adapters(cloud.settings, SimClients(cloud, hook).as_clients())

    writes = [Write(f"k{number}", encode(number), 1, new=True) for number in range(5)]
    over(1, 3, code="ThrottlingError").table.write("m", writes)
    assert keys(cloud) == [f"k{number}" for number in range(5)]
    assert over(0, 4).table.get("m", keys(cloud)).keys() == set(keys(cloud))
    checks = [Check("m", number, 0) for number in range(4)]
    over(2).checks.later(checks)
    assert len(cloud.checks_queue) == (5 if after else 4)
    (block,) = chain("m", 1)
    over().log.append(block)
    over(0).eraser.erase_blocks("m")
    assert over().log.head("m") is None


def test_a_part_that_fails_is_answered_in_the_service_s_words(cloud: Cloud) -> None:
    def of(code: str) -> SimClients:
        return SimClients(cloud, Failing(0, code=code))

    key = {"machine": {"S": "m"}, "key": {"S": "k"}}
    put(SimClients(cloud), "k")
    request = {STACK.state_table: {"Keys": [key], "ConsistentRead": True}}
    answer = of("").dynamodb.batch_get_item(RequestItems=request)
    assert answer == {"Responses": {STACK.state_table: []}, "UnprocessedKeys": request}
    deletion = {STACK.state_table: [{"DeleteRequest": {"Key": key}}]}
    assert of("").dynamodb.batch_write_item(RequestItems=deletion) == {"UnprocessedItems": deletion}
    entry = {
        "EventBusName": STACK.event_bus,
        "Source": "s",
        "DetailType": "t",
        "Detail": "{}",
        "Time": None,
    }
    answer = of("ThrottlingException").events.put_events(Entries=[entry])
    assert answer == {
        "FailedEntryCount": 1,
        "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "simulated"}],
    }
    answer = of("InternalError").s3.delete_objects(
        Bucket=STACK.snapshots_bucket, Delete={"Objects": [{"Key": "k"}], "Quiet": True}
    )
    assert answer == {"Errors": [{"Key": "k", "Code": "InternalError", "Message": "simulated"}]}


class Striking(Direct):
    """Raises an error instead of a call's effect or after it."""

    def __init__(self, error: Exception, *, after: bool) -> None:
        super().__init__()
        self.error = error
        self.after = after

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        if self.after:
            effect()
        raise self.error


@pytest.mark.parametrize("after", [False, True])
def test_a_call_that_times_out_may_have_happened(cloud: Cloud, after: bool) -> None:
    clients = SimClients(cloud, Striking(faults.timed_out(), after=after))
    with pytest.raises(ReadTimeoutError):
        put(clients, "k")
    assert keys(cloud) == (["k"] if after else [])


class Contending(Direct):
    """S3 meets another write to the same key, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        if call.operation == "PutObject" and self.left:
            self.left -= 1
            raise faults.conflict(call)
        return super().around(call, effect)


@pytest.mark.parametrize(("times", "stored"), [(PUT_ATTEMPTS - 1, True), (PUT_ATTEMPTS, False)])
def test_a_conflict_of_two_writes_is_tried_again(cloud: Cloud, times: int, stored: bool) -> None:
    objects = Adapters(cloud.settings, SimClients(cloud, Contending(times)).as_clients()).objects
    if stored:
        assert objects.put_new("k", b"x")
    else:
        with pytest.raises(Unavailable, match="ConditionalRequestConflict"):
            objects.put_new("k", b"x")
    assert ("k" in cloud.bucket.objects) is stored


@pytest.mark.parametrize(
    ("client", "throttled"),
    [
        ("dynamodb", "ThrottlingException"),
        ("s3", "SlowDown"),
        ("sqs", "RequestThrottled"),
        ("events", "ThrottlingException"),
        ("lambda_", "TooManyRequestsException"),
    ],
)
def test_errors_for_hooks_look_like_the_service_s(client: str, throttled: str) -> None:
    call = Call(client, "Operation", {})
    assert faults.broken(call).response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert faults.broken(call).operation_name == "Operation"
    assert faults.throttled(call).response["Error"]["Code"] == throttled


# -- honesty ---------------------------------------------------------------------------------------


def test_what_is_not_simulated_is_refused(clients: SimClients) -> None:
    key = {"machine": {"S": "m"}, "key": {"S": "k"}}
    on: Any = clients.dynamodb
    calls: list[Callable[[], object]] = [
        lambda: on.get_item(TableName=STACK.state_table, Key=key, ReturnConsumedCapacity="TOTAL"),
        lambda: on.get_item(TableName=STACK.state_table),
        lambda: on.put_item(
            TableName=STACK.state_table,
            Item=key,
            ConditionExpression="size(k) < :n",
            ExpressionAttributeValues={":n": {"N": "1"}},
        ),
        lambda: on.put_item(
            TableName=STACK.state_table,
            Item=key,
            ConditionExpression="contains(k, :n)",
            ExpressionAttributeValues={":n": {"N": "1"}},
        ),
        lambda: on.batch_execute_statement(
            Statements=[{"Statement": 'SELECT * FROM "State"', "Parameters": []}]
        ),
        lambda: clients.s3.put_object(Bucket="b", Key="k", Body=b"", IfMatch="x"),
        lambda: clients.sqs.send_message(QueueUrl="q", MessageBody="x", MessageSystemAttributes={}),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError):
            call()


def test_nobody_can_change_what_is_stored_by_what_he_gave_or_got(
    cloud: Cloud, clients: SimClients
) -> None:
    key = {"machine": {"S": "m"}, "key": {"S": "k"}}
    item: Any = {**key, "v": {"M": {"list": {"L": [{"N": "1"}]}}}}
    asked = deepcopy(item)
    clients.dynamodb.put_item(TableName=STACK.state_table, Item=item)
    item["v"]["M"]["list"]["L"].append({"N": "2"})
    answers: list[Any] = [
        clients.dynamodb.get_item(TableName=STACK.state_table, Key=key)["Item"],
        clients.dynamodb.scan(TableName=STACK.state_table)["Items"][0],
        clients.dynamodb.batch_get_item(RequestItems={STACK.state_table: {"Keys": [key]}})[
            "Responses"
        ][STACK.state_table][0],
    ]
    for answer in answers:
        assert answer == asked
        answer["v"]["M"]["list"]["L"][0]["N"] = "3"
        answer["v"]["M"].clear()
    assert cloud.state.items() == [asked]


def test_one_seed_is_one_run(clock: Clock) -> None:
    def run(seed: int) -> object:
        cloud = Cloud(STACK, clock=Clock(), random=Random(seed))
        clients = SimClients(cloud)
        for number in range(20):
            push(clients, f"m{number % 4}", str(number))
        batch = cloud.actions.receive(10)
        assert batch is not None
        return batch.event

    assert run(1) == run(1)
    assert run(1) != run(2)


# -- time ------------------------------------------------------------------------------------------


def test_items_expire_some_time_after_their_time(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    now = clock.time // 1000
    put(clients, "soon", expires={"N": str(now + 10)})
    put(clients, "later", expires={"N": str(now + 1000)})
    put(clients, "never")
    put(clients, "mistaken", expires={"N": str(now - 6 * 365 * 24 * 3600)})
    put(clients, "no number", expires={"S": str(now)})
    assert cloud.expire() == 0
    clock.sleep(12)
    found = clients.dynamodb.query(
        TableName=STACK.state_table,
        KeyConditionExpression="machine = :m",
        ExpressionAttributeValues={":m": {"S": "m"}},
    )
    assert found["Count"] == 5  # it is past its time, and still there
    assert cloud.expire(share=0) == 0
    assert cloud.expire() == 1
    assert keys(cloud) == ["later", "mistaken", "never", "no number"]


def test_a_fifo_queue_knows_a_message_for_five_minutes(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    first = push(clients, "m", "x")
    clock.sleep(299)
    assert push(clients, "m", "x") == first
    assert push(clients, "other", "x") != first
    clock.sleep(2)
    second = push(clients, "m", "x")
    assert second != first
    assert [each.id for each in cloud.actions.accepted if each.group == "m"] == [first, second]


def test_a_recreated_queue_counts_from_below(cloud: Cloud, clients: SimClients) -> None:
    push(clients, "m", "old")
    (old,) = cloud.actions.accepted
    cloud.actions.recreate()
    assert cloud.actions.receive() is None
    push(clients, "m", "new")
    assert len(cloud.actions.accepted[-1].sequence) == 20
    assert cloud.actions.accepted[-1].sequence < old.sequence


def test_messages_are_kept_for_the_retention(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    push(clients, "m", "x")
    clock.sleep(13.9 * 24 * 3600)
    assert cloud.expire() == 0
    clock.sleep(0.2 * 24 * 3600)
    assert cloud.expire() == 1
    assert cloud.actions.receive() is None


def test_an_eventually_consistent_read_may_miss_a_write_of_the_last_second(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    cloud.stale = 1.0
    put(clients, "k", 1)
    clock.sleep(2)
    put(clients, "k", 2)

    def read(consistent: bool) -> Any:
        return clients.dynamodb.get_item(
            TableName=STACK.state_table,
            Key={"machine": {"S": "m"}, "key": {"S": "k"}},
            ConsistentRead=consistent,
        )["Item"]["block"]["N"]

    assert (read(True), read(False)) == ("2", "1")
    clock.sleep(1)
    assert read(False) == "2"


def test_a_scan_may_miss_a_new_item(cloud: Cloud, clients: SimClients, clock: Clock) -> None:
    cloud.stale = 0.5
    seen = set()
    for number in range(30):
        clock.sleep(5)
        put(clients, str(number))
        seen.add(len(clients.dynamodb.scan(TableName=STACK.state_table)["Items"]) - number)
    assert seen == {0, 1}


# -- the event sources -----------------------------------------------------------------------------


def test_the_executor_s_event_looks_like_lambda_s(cloud: Cloud, clients: SimClients) -> None:
    push(clients, "north", "{}")
    batch = cloud.actions.receive()
    assert batch is not None
    (record,), (example, *_) = batch.event["Records"], load("three_groups")["Records"]
    assert record.keys() == example.keys()
    assert record["attributes"].keys() == example["attributes"].keys()
    assert record["eventSource"] == example["eventSource"]
    assert record["eventSourceARN"].endswith(":Actions.fifo")


def test_the_checks_event_looks_like_lambda_s(cloud: Cloud, clients: SimClients) -> None:
    clients.sqs.send_message(QueueUrl=STACK.checks_queue, MessageBody="x")
    batch = cloud.checks_queue.receive()
    assert batch is not None
    (record,), (example, *_) = batch.event["Records"], load("checks/two_machines")["Records"]
    assert record.keys() == example.keys()
    assert record["attributes"].keys() == example["attributes"].keys()


def test_the_stream_s_event_looks_like_lambda_s(cloud: Cloud, simulated: Adapters) -> None:
    (block,) = chain("m", 1)
    simulated.log.append(block)
    batch = cloud.stream().take("announcer")
    assert batch is not None
    (record,), (example, *_) = batch.event["Records"], load("stream/blocks")["Records"]
    assert record.keys() == example.keys()
    assert record["dynamodb"].keys() == example["dynamodb"].keys() - {"SizeBytes"}
    assert record["dynamodb"]["NewImage"].keys() == example["dynamodb"]["NewImage"].keys()


def test_the_bus_s_event_looks_like_eventbridge_s(cloud: Cloud, clients: SimClients) -> None:
    example = load("bus/block_executed")
    cloud.bus.put(example)
    delivery = cloud.bus.take()
    assert delivery is not None
    assert delivery.event == example


def test_a_batch_mixes_groups_and_keeps_the_order_of_each(
    cloud: Cloud, clients: SimClients
) -> None:
    for number in range(6):
        for group in "abc":
            push(clients, group, f"{group}{number}")
    batch = cloud.actions.receive(10)
    got = bodies(batch)
    assert len(got) == 10
    assert got != sorted(got)
    for group in "abc":
        mine = [body for body in got if body[0] == group]
        assert mine == sorted(mine)
    # Groups of which nothing is in work go on, and no others.
    rest = bodies(cloud.actions.receive(10))
    assert not {body[0] for body in rest} & {body[0] for body in got}


def test_what_a_function_names_as_failed_comes_again_after_the_visibility_timeout(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    ids = [push(clients, "m", str(number)) for number in range(3)]
    batch = cloud.actions.receive()
    assert batch is not None
    failures = [{"itemIdentifier": each} for each in ids[1:]]
    assert batch.settle({"batchItemFailures": failures}) == ids[:1]
    assert cloud.actions.receive() is None
    assert cloud.actions.next_visible == batch.messages[1].visible
    clock.sleep(61)
    assert bodies(cloud.actions.receive()) == ["1", "2"]


@pytest.mark.parametrize(
    "answer", [None, {"batchItemFailures": [{"itemIdentifier": "somebody else's"}]}]
)
def test_a_batch_that_failed_comes_again_as_a_whole(
    cloud: Cloud, clients: SimClients, clock: Clock, answer: dict[str, Any] | None
) -> None:
    for number in range(3):
        push(clients, "m", str(number))
    batch = cloud.actions.receive()
    assert batch is not None
    assert batch.settle(answer) == []
    clock.sleep(61)
    assert bodies(cloud.actions.receive()) == ["0", "1", "2"]


def test_what_is_acknowledged_too_late_is_not_deleted(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    push(clients, "m", "x")
    slow = cloud.actions.receive()
    clock.sleep(61)
    again = cloud.actions.receive()
    assert slow is not None
    assert again is not None
    assert slow.settle(NOTHING) == []
    assert len(cloud.actions) == 1
    assert again.settle(NOTHING) == [each.id for each in again.messages]
    assert len(cloud.actions) == 0


def test_dead_letters_are_redriven_as_new_messages_behind_the_others(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    first = push(clients, "m", "0")
    push(clients, "m", "1")
    for _ in range(3):
        batch = cloud.actions.receive(1)
        assert bodies(batch) == ["0"]
        clock.sleep(61)
    batch = cloud.actions.receive()
    assert bodies(batch) == ["1"]
    (letter,) = cloud.dead_letters.messages
    assert (letter.id, letter.received) == (first, 0)
    assert cloud.dead_letters.redrive(cloud.actions) == 1
    assert cloud.actions.receive() is None
    assert batch is not None
    batch.settle(NOTHING)
    (message,) = cloud.actions.messages
    assert message.id != first
    assert message.sequence > batch.messages[0].sequence
    assert bodies(cloud.actions.receive()) == ["0"]


def test_an_attempt_that_is_repeated_gets_the_same_messages_while_nobody_touched_them(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    push(clients, "m", "0")
    url = cloud.actions.url

    def receive(attempt: str) -> list[str]:
        answer = clients.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, ReceiveRequestAttemptId=attempt
        )
        return [each["ReceiptHandle"] for each in answer.get("Messages", [])]

    first = receive("a")
    assert len(first) == 1
    assert receive("a") == first
    assert receive("b") == []
    clients.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[0], VisibilityTimeout=0)
    push(clients, "m", "1")
    again = receive("a")
    assert len(again) == 2
    assert first[0] not in again
    clock.sleep(6 * 60)
    assert receive("a") != again


# -- the stream ------------------------------------------------------------------------------------


def grown(simulated: Adapters, count: int = 12) -> None:
    for machine in ("a", "b"):
        for block in chain(machine, count // 2):
            simulated.log.append(block)


@pytest.fixture
def simulated(cloud: Cloud) -> Adapters:
    return Adapters(cloud.settings, SimClients(cloud).as_clients())


def drain(cloud: Cloud, reader: str, most: int = 5, **more: Any) -> list[Any]:
    found: list[Any] = []
    while batch := cloud.stream().take(reader, most, **more):
        found += batch.records
        batch.settle(NOTHING)
    return found


def test_both_readers_get_every_block_in_orders_of_their_own(
    cloud: Cloud, simulated: Adapters
) -> None:
    grown(simulated)
    orders = [[each.sequence for each in drain(cloud, name)] for name in ("announcer", "archiver")]
    assert sorted(orders[0]) == sorted(orders[1])
    assert len(set(orders[0])) == 12
    assert orders[0] != sorted(orders[0])
    assert orders[0] != orders[1]


def test_records_of_one_item_keep_their_order(cloud: Cloud, clients: SimClients) -> None:
    table = STACK.blocks_table
    names = [{"machine": {"S": "m"}, "number": {"N": str(number)}} for number in range(8)]
    for text in ("one", "two"):
        for item in names:
            clients.dynamodb.put_item(TableName=table, Item={**item, "text": {"S": text}})
    for item in names:
        clients.dynamodb.delete_item(TableName=table, Key=item)
    records = drain(cloud, "announcer", 3, kinds=ALL_KINDS)
    assert len(records) == 24
    for item in names:
        mine = [each.kind for each in records if each.keys == item]
        assert mine == list(ALL_KINDS)
    assert [each.keys for each in records] != sorted(
        (each.keys for each in records), key=lambda each: str(each["number"])
    )


def test_what_a_reader_did_not_do_comes_again_with_all_behind_it(
    cloud: Cloud, simulated: Adapters
) -> None:
    grown(simulated, 6)
    batch = cloud.stream().take("announcer", 6)
    assert batch is not None
    third = str(batch.records[2].sequence)
    batch.settle({"batchItemFailures": [{"itemIdentifier": third}]})
    again = drain(cloud, "announcer")
    assert {each.sequence for each in again} == {each.sequence for each in batch.records[2:]}
    batch.settle(None)  # once more, though it was done
    assert len(drain(cloud, "announcer")) == 6


def test_a_later_record_of_an_item_waits_for_the_one_in_work(
    cloud: Cloud, clients: SimClients
) -> None:
    item = {"machine": {"S": "m"}, "number": {"N": "1"}}
    clients.dynamodb.put_item(TableName=STACK.blocks_table, Item=item)
    first = cloud.stream().take("announcer", kinds=ALL_KINDS)
    clients.dynamodb.delete_item(TableName=STACK.blocks_table, Key=item)
    assert first is not None
    assert cloud.stream().take("announcer", kinds=ALL_KINDS) is None
    first.settle(None)
    assert [each.kind for each in drain(cloud, "announcer", kinds=ALL_KINDS)] == [
        "INSERT",
        "REMOVE",
    ]


def test_what_nobody_read_for_a_day_is_gone(
    cloud: Cloud, simulated: Adapters, clock: Clock
) -> None:
    grown(simulated, 2)
    clock.sleep(24 * 3600 - 1)
    assert len(drain(cloud, "announcer")) == 2
    clock.sleep(2)
    assert drain(cloud, "archiver") == []


def test_the_stream_tells_who_removed_an_expired_block(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    item = {"machine": {"S": "m"}, "number": {"N": "1"}, "expires": {"N": "1800000001"}}
    clients.dynamodb.put_item(TableName=STACK.blocks_table, Item=item)
    clock.sleep(10)
    cloud.expire()
    batch = cloud.stream().take("announcer", kinds=("REMOVE",))
    assert batch is not None
    (record,) = batch.event["Records"]
    assert record["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"
    assert "NewImage" not in record["dynamodb"]


def test_events_come_in_any_order_and_again_if_the_function_failed(cloud: Cloud) -> None:
    example = load("bus/block_executed")
    for number in range(6):
        cloud.bus.put({**example, "detail": {**example["detail"], "number": number}})
    order = []
    failed = cloud.bus.take()
    assert failed is not None
    failed.settle(None)
    while delivery := cloud.bus.take():
        order.append(delivery.event["detail"]["number"])
        delivery.settle({})
    assert sorted(order) == list(range(6))
    assert order != sorted(order)


# -- functions -------------------------------------------------------------------------------------


class Waiting(SetClock):
    """Makes the services' clock go on when somebody sleeps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def test_the_intake_can_be_paused_and_renews_processes(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    function = cloud.executor
    function.variables["BLOCKFOLD_MACHINE"] = "m:M"
    intake = LambdaIntake(lambda: clients.as_clients().lambda_, function.name, Waiting(clock))
    assert function.polled
    intake.pause()
    assert not function.polled
    assert function.generation == 1
    assert function.variables.keys() == {"BLOCKFOLD_MACHINE", FORGOTTEN}
    intake.resume()
    assert function.polled


def test_an_event_source_that_is_being_switched_still_polls_and_cannot_be_switched(
    cloud: Cloud, clients: SimClients, clock: Clock
) -> None:
    name = cloud.executor.source
    clients.lambda_.update_event_source_mapping(UUID=name, Enabled=False)
    assert cloud.executor.state == "Disabling"
    assert cloud.executor.polled
    update = clients.lambda_.update_event_source_mapping
    assert code_of(lambda: update(UUID=name, Enabled=True)) == "ResourceInUseException"
    clock.sleep(5)
    assert cloud.executor.state == "Disabled"


def test_a_function_s_error_is_its_answer(cloud: Cloud, clients: SimClients) -> None:
    def handler(payload: Any) -> Any:
        return {"got": payload["n"] / payload["by"]}

    cloud.executor.handler = handler
    name = cloud.executor.name
    good = clients.lambda_.invoke(FunctionName=name, Payload=b'{"n": 6, "by": 3}')
    assert good["Payload"].read() == b'{"got": 2.0}'
    assert "FunctionError" not in good
    bad = clients.lambda_.invoke(FunctionName=name, Payload=b'{"n": 6, "by": 0}')
    assert bad["FunctionError"] == "Unhandled"
    assert b"ZeroDivisionError" in bad["Payload"].read()
    missing = clients.lambda_.get_function_configuration
    assert code_of(lambda: missing(FunctionName="none")) == "ResourceNotFoundException"
