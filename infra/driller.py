"""The driller: the function that rehearses rebuilds, on a schedule and on command."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.failures import Failures
from infra.function import LONGEST, BlockfoldFunction, FunctionBase

_GIVE_UP_AFTER = Duration.hours(1)

_DELIVERIES = 20
"""Tries of EventBridge to hand an event to Lambda, further and further apart."""


class Driller(BlockfoldFunction):
    """Is called by its schedule, for one machine after the other, and by people.

    A drill that found something is not tried again: an alarm rings on the function's errors.
    """

    def __init__(
        self, scope: Construct, id_: str, *, base: FunctionBase, failures: Failures, days: int
    ) -> None:
        """Make the function and its schedule: a drill every so many `days`."""
        super().__init__(
            scope,
            id_,
            description="Blockfold: rehearses the rebuild of a machine",
            base=base,
            timeout=LONGEST,
        )
        self.function.configure_async_invoke(
            max_event_age=_GIVE_UP_AFTER,
            retry_attempts=0,
        )
        events.Rule(
            self,
            "Turn",
            description="Blockfold: rehearses the rebuild of the machine whose turn it is",
            schedule=events.Schedule.rate(Duration.days(days)),
            targets=[
                targets.LambdaFunction(
                    self.function,
                    event=events.RuleTargetInput.from_object({"every": days}),
                    dead_letter_queue=failures.queue,
                    max_event_age=_GIVE_UP_AFTER,
                    retry_attempts=_DELIVERIES,
                )
            ],
        )
