"""The dumper: the function that writes snapshots when they are due, and on command."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.bus import Bus
from infra.failures import Failures
from infra.function import LONGEST, BlockfoldFunction, FunctionBase

_SWEEP_EVERY = Duration.hours(1)

_GIVE_UP_AFTER = _SWEEP_EVERY
"""An event need not be older: the next sweep looks for every snapshot that is due and missing."""

_DELIVERIES = 20
"""Tries of EventBridge to hand an event to Lambda, further and further apart."""

_CHECKS_BATCH = 10

_CHECKS_WINDOW = Duration.seconds(5)
"""Checks gather for so long: many machines then cost one invocation, and are late by no more."""

_CHECKS_AT_ONCE = 10
"""Invocations for checks, so that a flood of them leaves the account's concurrency to others."""

_RETRIES = 2
"""The most that Lambda offers for an event that the function failed on."""


class Dumper(BlockfoldFunction):
    """Is called for blocks marked for a snapshot, checks, an hourly sweep, and by its commands."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        base: FunctionBase,
        bus: Bus,
        checks: sqs.IQueue,
        failures: Failures,
    ) -> None:
        """Make the function, its rule on `bus`, its schedule, and let it consume `checks`."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: writes snapshots of due blocks; start, stop, set_count, dump",
            base=base,
            timeout=LONGEST,
            environment={"BLOCKFOLD_CHECKS_QUEUE_URL": checks.queue_url},
        )
        # An SqsEventSource would grant more than a consumer needs.
        consume = checks.grant(
            self.role,
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:SendMessage",  # a check that came too early is put off
        )
        source = lambda_.EventSourceMapping(
            self,
            "Checks",
            target=self.function,
            event_source_arn=checks.queue_arn,
            batch_size=_CHECKS_BATCH,
            max_batching_window=_CHECKS_WINDOW,
            max_concurrency=_CHECKS_AT_ONCE,
            report_batch_item_failures=True,
        )
        consume.apply_before(source)  # Lambda refuses a source that its role may not read
        self._failures = failures
        events.Rule(
            self,
            "Due",
            description="Blockfold: a block is executed whose snapshot is due",
            event_bus=bus.bus,
            event_pattern=bus.due_snapshots(),
            targets=[self._target()],
        )
        events.Rule(
            self,
            "Sweep",
            description="Blockfold: makes up for snapshots whose event was lost",
            schedule=events.Schedule.rate(_SWEEP_EVERY),
            targets=[self._target(events.RuleTargetInput.from_object({"sweep": True}))],
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

    def _target(self, event: events.RuleTargetInput | None = None) -> targets.LambdaFunction:
        return targets.LambdaFunction(
            self.function,
            event=event,
            dead_letter_queue=self._failures.queue,
            max_event_age=_GIVE_UP_AFTER,
            retry_attempts=_DELIVERIES,
        )
