"""The queue of checks: whether a snapshot is due by its machine's policy, asked later."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.failures import Failures
from infra.options import Stage

_RETENTION = Duration.days(1)
"""A check need not be older than the hourly sweep, which makes up for it."""

_MAX_RECEIVE_COUNT = 3
"""Tries of a check: as many as an event that a snapshot is due gets."""


class Checks(Construct):
    """A standard queue, TLS only: each message says how long it waits (DelaySeconds).

    What could not be looked at ends in the queue of `failures`.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        failures: Failures,
        consumer_timeout: Duration,
    ) -> None:
        """Make the queue; `consumer_timeout` is the timeout of the function that reads it.

        A message stays invisible for just that long: one that comes twice is harmless, and one
        that failed comes again as soon as may be.
        """
        super().__init__(scope, id_)
        self.queue = sqs.Queue(
            self,
            "Queue",
            retention_period=_RETENTION,
            visibility_timeout=consumer_timeout,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=failures.queue, max_receive_count=_MAX_RECEIVE_COUNT
            ),
            removal_policy=RemovalPolicy.RETAIN if stage.keeps_data else RemovalPolicy.DESTROY,
        )
