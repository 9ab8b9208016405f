"""The executor: the function that folds queued actions into blocks."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.function import BlockfoldFunction, FunctionBase

TIMEOUT_SECONDS = 60
"""A group whose executor dies waits for six times this: the queue's visibility timeout."""

_BATCH = 10
"""The most that a FIFO event source hands over at once."""


class Executor(BlockfoldFunction):
    """Consumes the queue of actions, in order within each message group.

    The handler answers with the messages that it could not commit; the others are done.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        base: FunctionBase,
        actions: sqs.IQueue,
        action_seconds: int,
    ) -> None:
        """Make the function and let it consume the queue `actions`."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: folds queued actions into blocks and keeps the state table",
            base=base,
            timeout=Duration.seconds(TIMEOUT_SECONDS),
            environment={
                "BLOCKFOLD_ACTIONS_QUEUE_URL": actions.queue_url,
                "BLOCKFOLD_ACTION_SECONDS": str(action_seconds),
            },
        )
        # An SqsEventSource would grant more than a consumer needs.
        consume = actions.grant(
            self.role,
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",  # so that a failed group need not wait so long
        )
        source = lambda_.EventSourceMapping(
            self,
            "Source",
            target=self.function,
            event_source_arn=actions.queue_arn,
            batch_size=_BATCH,
            report_batch_item_failures=True,
        )
        consume.apply_before(source)  # Lambda refuses a source that its role may not read
