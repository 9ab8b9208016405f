"""Where work ends that was tried often enough: events not announced, snapshots not taken."""

from __future__ import annotations

import jsii
from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.options import Stage

_RETENTION = Duration.days(14)
"""The longest that SQS offers."""


class Failures(Construct):
    """One queue for the background functions: its messages say what failed, where and why.

    Nothing is lost with them, for the log holds every block; they call for a look.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        """Make the queue."""
        super().__init__(scope, id_)
        self.queue = sqs.Queue(
            self,
            "Queue",
            retention_period=_RETENTION,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN if stage.keeps_data else RemovalPolicy.DESTROY,
        )
        Validations.of(self.queue).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="It is where failures end, and an alarm watches it: a dead-letter queue of "
                "its own would have no reader whose failures it could take.",
            )
        )

    def grant(self, role: iam.IRole) -> iam.Grant:
        """Let the function of `role` send here, which Lambda does in its name."""
        return iam.Grant.add_to_principal(
            grantee=role, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn]
        )


@jsii.implements(lambda_.IEventSourceDlq)
class OnFailure:
    """The queue as the destination of a stream, granting nothing: CDK's own grants reading too."""

    def __init__(self, queue: sqs.IQueue) -> None:
        """Send to `queue`."""
        self._queue = queue

    def bind(
        self,
        target: lambda_.IEventSourceMapping,  # noqa: ARG002 - CDK's interface
        target_handler: lambda_.IFunction,  # noqa: ARG002 - CDK's interface
    ) -> lambda_.DlqDestinationConfig:
        """Tell the event source where to send."""
        return lambda_.DlqDestinationConfig(destination=self._queue.queue_arn)
