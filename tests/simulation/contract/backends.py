"""The services that the contract of the simulated ones is held against.

Set ``BLOCKFOLD_DYNAMODB_LOCAL`` to the endpoint of a DynamoDB Local to hold that against it, too.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emulator import BareEmulator
from tests.simulation.services import STACK, Cloud, SimClients
from tests.simulation.services.bus import DUE
from tests.simulation.services.queues import Queue

SIMULATOR = "simulator"
MINISTACK = "ministack"
DYNAMODB_LOCAL = "dynamodb-local"

LOCAL_ENDPOINT = os.environ.get("BLOCKFOLD_DYNAMODB_LOCAL", "")

_SORT_KEYS = {"Blocks": ("number", "N"), "State": ("key", "S"), "Machines": None}

Item = dict[str, Any]


class Clock:
    """A clock that tests set; each look takes a millisecond."""

    def __init__(self, time: int = 1_800_000_000_000) -> None:
        self.time = time

    def now(self) -> int:
        self.time += 1
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += int(1000 * seconds)


@dataclass(frozen=True)
class Backend:
    """One implementation of the services, with a stack's tables and bucket.

    Attributes:
        name: What it is.
        dynamodb: A boto3 client, or what stands for one; so the others.
        sleep: Lets seconds pass.
        blocks: Name of the Blocks table, which has a stream.
        state: Name of the State table.
        machines: Name of the Machines table.
        bucket: Name of the bucket.
        bus: Name of the bus.
        queue: Makes a FIFO queue, or a standard one: (fifo, visibility seconds, most receives)
            → URLs of the queue and of its dead-letter queue.
        records: What the stream of the Blocks table has, oldest first: (kind, keys, new image).
        passed_on: Takes what the rule for due snapshots passed on.
    """

    name: str
    dynamodb: Any
    s3: Any
    sqs: Any
    events: Any
    sleep: Callable[[float], None]
    blocks: str
    state: str
    machines: str
    bucket: str
    bus: str
    queue: Callable[[bool, int, int], tuple[str, str]]
    records: Callable[[], list[tuple[str, Item, Item | None]]]
    passed_on: Callable[[], list[Any]]


def code_of(call: Callable[[], object]) -> str:
    """The error code that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def simulator(node: str) -> Backend:
    """A new simulated stack."""
    clock = Clock()
    cloud = Cloud(STACK, clock=clock, random=Random(node))
    clients = SimClients(cloud)

    def queue(fifo: bool, visibility: int, most: int) -> tuple[str, str]:
        main: Queue = cloud.actions if fifo else cloud.checks_queue
        dead: Queue = cloud.dead_letters if fifo else cloud.failures
        main.visibility = visibility
        main.max_receives = most
        return main.url, dead.url

    def records() -> list[tuple[str, Item, Item | None]]:
        batch = cloud.stream().take(
            "archiver", 1000, kinds=("INSERT", "MODIFY", "REMOVE"), shuffled=False
        )
        return [(each.kind, each.keys, each.image) for each in (batch.records if batch else [])]

    def passed_on() -> list[Any]:
        found = []
        while delivery := cloud.bus.take():
            found.append(delivery.event)
        return found

    return Backend(
        name=SIMULATOR,
        dynamodb=clients.dynamodb,
        s3=clients.s3,
        sqs=clients.sqs,
        events=clients.events,
        sleep=clock.sleep,
        blocks=STACK.blocks_table,
        state=STACK.state_table,
        machines=STACK.machines_table,
        bucket=STACK.snapshots_bucket,
        bus=STACK.event_bus,
        queue=queue,
        records=records,
        passed_on=passed_on,
    )


def ministack(emulator: BareEmulator) -> Backend:
    """New resources in the emulator."""
    arguments = emulator.client_arguments()
    suffix = uuid4().hex[:12]
    dynamodb, s3, sqs, events, streams = (
        boto3.client(name, **arguments)  # type: ignore[call-overload]
        for name in ("dynamodb", "s3", "sqs", "events", "dynamodbstreams")
    )
    tables = _tables(dynamodb, suffix)
    s3.create_bucket(Bucket=f"bucket-{suffix}")

    def new_queue(fifo: bool, attributes: Mapping[str, str]) -> tuple[str, str]:
        name = f"q-{uuid4().hex[:12]}"
        kind = {"FifoQueue": "true"} if fifo else {}
        url = sqs.create_queue(
            QueueName=f"{name}.fifo" if fifo else name, Attributes={**kind, **attributes}
        )["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def queue(fifo: bool, visibility: int, most: int) -> tuple[str, str]:
        dead, arn = new_queue(fifo, {})
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": most})
        url, _ = new_queue(fifo, {"VisibilityTimeout": str(visibility), "RedrivePolicy": policy})
        return url, dead

    events.create_event_bus(Name=f"bus-{suffix}")
    heard, arn = new_queue(False, {})
    events.put_rule(Name="due", EventBusName=f"bus-{suffix}", EventPattern=json.dumps(DUE))
    events.put_targets(
        Rule="due", EventBusName=f"bus-{suffix}", Targets=[{"Id": "heard", "Arn": arn}]
    )

    def passed_on() -> list[Any]:
        answer = sqs.receive_message(QueueUrl=heard, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for each in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=heard, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in answer.get("Messages", [])]

    return Backend(
        name=MINISTACK,
        dynamodb=dynamodb,
        s3=s3,
        sqs=sqs,
        events=events,
        sleep=time.sleep,
        blocks=tables["Blocks"],
        state=tables["State"],
        machines=tables["Machines"],
        bucket=f"bucket-{suffix}",
        bus=f"bus-{suffix}",
        queue=queue,
        records=lambda: _records(dynamodb, streams, tables["Blocks"]),
        passed_on=passed_on,
    )


def dynamodb_local() -> Backend:
    """New tables in a DynamoDB Local; it has no other service."""
    arguments = {
        "endpoint_url": LOCAL_ENDPOINT,
        "region_name": "eu-west-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    dynamodb: Any = boto3.client("dynamodb", **arguments)  # type: ignore[call-overload]
    streams: Any = boto3.client("dynamodbstreams", **arguments)  # type: ignore[call-overload]
    tables = _tables(dynamodb, uuid4().hex[:12])

    def missing(*_: Any) -> Any:
        raise NotImplementedError

    return Backend(
        name=DYNAMODB_LOCAL,
        dynamodb=dynamodb,
        s3=None,
        sqs=None,
        events=None,
        sleep=time.sleep,
        blocks=tables["Blocks"],
        state=tables["State"],
        machines=tables["Machines"],
        bucket="",
        bus="",
        queue=missing,
        records=lambda: _records(dynamodb, streams, tables["Blocks"]),
        passed_on=missing,
    )


def _tables(dynamodb: Any, suffix: str) -> dict[str, str]:
    names = {kind: f"{kind}-{suffix}" for kind in _SORT_KEYS}
    for kind, sort in _SORT_KEYS.items():
        keys = [("machine", "S", "HASH"), *([(*sort, "RANGE")] if sort else [])]
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        dynamodb.create_table(
            TableName=names[kind],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": type_} for name, type_, _ in keys
            ],
            KeySchema=[{"AttributeName": name, "KeyType": role} for name, _, role in keys],
            **({"StreamSpecification": stream} if kind == "Blocks" else {}),
        )
    return names


def _records(dynamodb: Any, streams: Any, table: str) -> list[tuple[str, Item, Item | None]]:
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    found = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        place = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while (page := streams.get_records(ShardIterator=place))["Records"]:
            found += page["Records"]
            place = page["NextShardIterator"]
    return [
        (each["eventName"], each["dynamodb"]["Keys"], each["dynamodb"].get("NewImage"))
        for each in found
    ]
