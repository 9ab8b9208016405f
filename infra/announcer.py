"""The announcer: the function that turns the log's stream into events on the bus."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.failures import Failures, OnFailure
from infra.function import BlockfoldFunction, FunctionBase

_TIMEOUT = Duration.seconds(60)

_BATCH = 100

_LANES = 4
"""Batches of a shard in work at once: a block that will not go out holds up a quarter of them."""

_RETRIES = 50

_RECORD_AGE = Duration.hours(6)
"""An outage of the bus may last so long. The stream keeps records for 24 hours, so what the
failure queue names can still be read there."""


class Announcer(BlockfoldFunction):
    """Reads every block from the stream of the log and publishes it, at least once.

    There is no batching window: events go out at once, and when blocks come faster than Lambda
    polls (four times a second a shard), batches fill by themselves.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        base: FunctionBase,
        blocks: dynamodb.ITable,
        bus: events.IEventBus,
        checks: sqs.IQueue,
        failures: Failures,
    ) -> None:
        """Make the function, and let it read the stream of the table `blocks` and ask `checks`."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: announces each block on the event bus",
            base=base,
            timeout=_TIMEOUT,
            environment={
                "BLOCKFOLD_EVENT_BUS": bus.event_bus_name,
                "BLOCKFOLD_CHECKS_QUEUE_URL": checks.queue_url,
            },
        )
        checks.grant(self.role, "sqs:SendMessage")
        stream = blocks.table_stream_arn
        if stream is None:
            raise TypeError(f"table {blocks.node.path} has no stream")
        # DynamoEventSource would let the role list every stream of the account.
        read = iam.Grant.add_to_principal(
            grantee=self.role,
            actions=[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            resource_arns=[stream],
        )
        source = lambda_.EventSourceMapping(
            self,
            "Source",
            target=self.function,
            event_source_arn=stream,
            # LATEST would miss the blocks committed before the source is ready.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            filters=[lambda_.FilterCriteria.filter({"eventName": ["INSERT"]})],
            batch_size=_BATCH,
            parallelization_factor=_LANES,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            retry_attempts=_RETRIES,
            max_record_age=_RECORD_AGE,
            on_failure=OnFailure(failures.queue),
        )
        # Lambda refuses a source that its role may not read, and a destination likewise.
        read.apply_before(source)
        failures.grant(self.role).apply_before(source)
