"""The pruner: the only function that deletes, once a day and on command."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.failures import Failures
from infra.function import LONGEST, BlockfoldFunction, FunctionBase

_SWEEP_EVERY = Duration.days(1)

_GIVE_UP_AFTER = Duration.hours(6)
"""The longest that Lambda keeps an event; the next sweep does what this one did not."""

_DELIVERIES = 20
"""Tries of EventBridge to hand an event to Lambda, further and further apart."""

_RETRIES = 2
"""The most that Lambda offers for an event that the function failed on."""


class Pruner(BlockfoldFunction):
    """Is called by a daily sweep, and by people: prune, set_retention, status."""

    def __init__(
        self, scope: Construct, id_: str, *, base: FunctionBase, failures: Failures
    ) -> None:
        """Make the function and its schedule."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: lets go of what retention does not keep, and of garbage",
            base=base,
            timeout=LONGEST,
        )
        events.Rule(
            self,
            "Sweep",
            description="Blockfold: prunes every machine",
            schedule=events.Schedule.rate(_SWEEP_EVERY),
            targets=[
                targets.LambdaFunction(
                    self.function,
                    event=events.RuleTargetInput.from_object({"sweep": True}),
                    dead_letter_queue=failures.queue,
                    max_event_age=_GIVE_UP_AFTER,
                    retry_attempts=_DELIVERIES,
                )
            ],
        )
        retries = lambda_.CfnEventInvokeConfig(
            self,
            "Retries",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_event_age_in_seconds=_GIVE_UP_AFTER.to_seconds(),
            maximum_retry_attempts=_RETRIES,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                    destination=failures.queue.queue_arn
                )
            ),
        )
        # Lambda refuses a destination to which the role may not send.
        failures.grant(self.role).apply_before(retries)
