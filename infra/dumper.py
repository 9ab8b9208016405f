"""The dumper: the function that writes snapshots when they are due, and on command."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bus import Bus
from infra.failures import Failures
from infra.function import LONGEST, BlockfoldFunction, FunctionBase

_SWEEP_EVERY = Duration.hours(1)

_GIVE_UP_AFTER = _SWEEP_EVERY
"""An event need not be older: the next sweep looks for every snapshot that is due and missing."""

_DELIVERIES = 20
"""Tries of EventBridge to hand an event to Lambda, further and further apart."""

_RETRIES = 2
"""The most that Lambda offers for an event that the function failed on."""


class Dumper(BlockfoldFunction):
    """Is called for each block marked for a snapshot, by an hourly sweep, and by its commands."""

    def __init__(
        self, scope: Construct, id_: str, *, base: FunctionBase, bus: Bus, failures: Failures
    ) -> None:
        """Make the function, its rule on `bus` and its schedule."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: writes snapshots of due blocks; start, stop, set_count, dump",
            base=base,
            timeout=LONGEST,
        )
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
