"""The archiver: the function that ships the log's stream to the bucket."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.failures import Failures, OnFailure
from infra.function import BlockfoldFunction, FunctionBase

_TIMEOUT = Duration.minutes(2)

_BATCH = 1000
"""A batch closes at 6 MB as well, so this bounds the number of small blocks."""

_RETRIES = 20
"""Blocks given up are healed from the table, so a damaged one need not hold up those behind it."""

_RECORD_AGE = Duration.hours(6)


class Archiver(BlockfoldFunction):
    """Reads every block from the stream of the log and stores it, at least once.

    The second of the two readers that DynamoDB allows a stream. Blocks gather for a window, since
    each machine and batch costs a PUT; what the loss of the table costs is that window. One batch
    of a shard is in work at a time, so that blocks of a machine come in order.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        base: FunctionBase,
        blocks: dynamodb.ITable,
        failures: Failures,
        seconds: int,
    ) -> None:
        """Make the function and let it read the stream of `blocks`, every `seconds` at most."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: stores each block in the archive",
            base=base,
            timeout=_TIMEOUT,
        )
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
            max_batching_window=Duration.seconds(seconds) if seconds else None,
            parallelization_factor=1,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            retry_attempts=_RETRIES,
            max_record_age=_RECORD_AGE,
            on_failure=OnFailure(failures.queue),
        )
        # Lambda refuses a source that its role may not read, and a destination likewise.
        read.apply_before(source)
        failures.grant(self.role).apply_before(source)
