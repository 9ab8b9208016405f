"""Our run by the real handler of the executor's Lambda function, on a real queue.

The loop stands for Lambda's poller: receiving, deleting and the wait for messages that were made
visible again are not timed. All that the handler does is: it also writes its log and its metrics.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.ours import BATCH, MACHINE, WARM_UP, check, meter_of
from bench.server import BUCKET, Server
from bench.stopwatch import Stopwatch
from bench.workload import QUEUE, SENDER
from blockfold import Message
from blockfold.bootstrap import Adapters
from blockfold.local.clients import ACCESS_KEY, SECRET_KEY
from blockfold.local.network import REGION

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MEMORY_MB = 1769


class Context:
    """What the handler uses of Lambda's context."""

    function_name = "executor"
    memory_limit_in_mb = MEMORY_MB
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:executor"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """A whole invocation's time."""
        return 900_000


def run_handler(
    adapters: Adapters, server: Server, todo: Sequence[Message], warm: Sequence[Message]
) -> dict[str, Any]:
    """Fold all messages; what was measured."""
    sqs = adapters.clients.sqs
    url = sqs.create_queue(
        QueueName=f"bench-{uuid4().hex[:8]}.fifo",
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "600"},
    )["QueueUrl"]
    _environment(adapters, server, url)
    from lambdas import executor as function  # noqa: PLC0415 - it reads the environment

    handler: Any = function.handler
    for message in warm:
        sqs.send_message(
            QueueUrl=url,
            MessageBody=message.body,
            MessageGroupId=WARM_UP,
            MessageDeduplicationId=message.id,
        )
    _invoke(handler, sqs, url, Stopwatch(), timed=False)
    for first in range(0, len(todo), BATCH):
        sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {
                    "Id": str(at),
                    "MessageBody": message.body,
                    "MessageGroupId": MACHINE,
                    "MessageDeduplicationId": message.id,
                }
                for at, message in enumerate(todo[first : first + BATCH])
            ],
        )
    clients = function._adapters().clients  # noqa: SLF001 - those whose requests are counted
    meter = meter_of(Adapters(adapters.settings, clients), server.clients())
    watch = Stopwatch()
    while _invoke(handler, sqs, url, watch, timed=True):
        pass
    check(adapters, "state", len(todo))
    return {**watch.result(len(todo)), "counts": meter.counts.to_json()}


def _invoke(handler: Any, sqs: SQSClient, url: str, watch: Stopwatch, *, timed: bool) -> bool:
    """One invocation with what the queue has; whether it had anything."""
    got = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=BATCH,
        AttributeNames=["All"],
        MessageAttributeNames=["All"],
        WaitTimeSeconds=0,
    ).get("Messages", [])
    if not got:
        return False
    event = {"Records": [_record(each) for each in got]}
    if timed:
        with watch.running(), watch.commit():
            answer = handler(event, Context())
    else:
        answer = handler(event, Context())
    again = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
    done = [each for each in got if each["MessageId"] not in again]
    if done:
        sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]}
                for at, each in enumerate(done)
            ],
        )
    return True


def _record(message: MessageTypeDef) -> dict[str, Any]:
    """A message as Lambda hands it over."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {**message["Attributes"], "SenderId": SENDER},
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": REGION,
    }


def _environment(adapters: Adapters, server: Server, url: str) -> None:
    settings = adapters.settings
    os.environ.update(
        {
            "AWS_ENDPOINT_URL": server.others,
            "AWS_ENDPOINT_URL_DYNAMODB": server.tables,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "BLOCKFOLD_BLOCKS_TABLE": settings.blocks_table,
            "BLOCKFOLD_STATE_TABLE": settings.state_table,
            "BLOCKFOLD_MACHINES_TABLE": settings.machines_table,
            "BLOCKFOLD_SNAPSHOTS_BUCKET": BUCKET,
            "BLOCKFOLD_MACHINE": settings.machine,
            "BLOCKFOLD_ACTIONS_QUEUE_URL": url,
            "POWERTOOLS_SERVICE_NAME": "executor",
            "POWERTOOLS_METRICS_NAMESPACE": "Blockfold",
        }
    )
