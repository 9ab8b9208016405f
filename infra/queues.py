"""The way in: the FIFO queue of actions and the queue of those that nothing could process."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.options import Stage

_RETENTION = Duration.days(14)
"""The longest that SQS offers: an outage of the executor must not cost actions."""

_MAX_RECEIVE_COUNT = 1000
"""SQS's maximum, because every message given up leaves a hole in its group's order. The executor
backs off to 15 minutes after trouble, so this outlasts an outage of ten days."""

_LARGEST_MESSAGE = 1024 * 1024

_VISIBILITY_FACTOR = 6
"""AWS asks for six times the consumer's timeout: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""


class Queues(Construct):
    """`actions` (message group = machine id) and `dead_letters`, both FIFO, TLS only.

    Content-based deduplication is off: it would drop the second of two equal actions.
    Throughput and deduplication are counted by message group, so that machines scale apart.
    """

    def __init__(
        self, scope: Construct, id_: str, *, stage: Stage, consumer_timeout: Duration
    ) -> None:
        """Make both queues; `consumer_timeout` is the timeout of the function that reads them."""
        super().__init__(scope, id_)
        removal = RemovalPolicy.RETAIN if stage.keeps_data else RemovalPolicy.DESTROY
        visibility = Duration.seconds(_VISIBILITY_FACTOR * int(consumer_timeout.to_seconds()))
        self.dead_letters = self._fifo("DeadLetters", removal=removal, visibility=visibility)
        self.actions = self._fifo(
            "Actions",
            removal=removal,
            visibility=visibility,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=_MAX_RECEIVE_COUNT
            ),
        )

    def _fifo(
        self,
        id_: str,
        *,
        removal: RemovalPolicy,
        visibility: Duration,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            id_,
            fifo=True,
            content_based_deduplication=False,
            fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP,
            max_message_size_bytes=_LARGEST_MESSAGE,
            retention_period=_RETENTION,
            visibility_timeout=visibility,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=dead_letter_queue,
            removal_policy=removal,
        )
