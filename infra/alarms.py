"""Alarms on what nobody would notice: work given up, work that stands still.

No alarm has an action: docs/deploy.md shows how to add one.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_MINUTE = Duration.minutes(1)

_PATIENCE = Duration.minutes(15)
"""How old the oldest waiting action or block may be: longer than a burst takes to work off."""


class Alarms(Construct):
    """Given-up actions and background work, a queue or a stream that stands, a holed archive.

    A state table that stays behind needs no alarm of its own: it keeps an action waiting.

    `all` holds the alarms, for whoever wants to give them an action.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        actions: sqs.IQueue,
        dead_letters: sqs.IQueue,
        failures: sqs.IQueue,
        announcer: lambda_.IFunction,
        archiver: lambda_.IFunction,
        dumper: lambda_.IFunction,
    ) -> None:
        """Watch the queues, the stream that `announcer` and `archiver` read, and the archive."""
        super().__init__(scope, id_)
        self.all: list[cloudwatch.Alarm] = []
        self._not_empty(
            "DeadLetters", dead_letters, "actions were given up: the order of a machine has a hole"
        )
        self._not_empty(
            "Failures",
            failures,
            "a block was not announced or archived, or a snapshot, a check or a prune given up",
        )
        self._late(
            "WaitingActions",
            actions.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic="Maximum"),
            _PATIENCE.to_seconds(),
            "actions wait: the executor fails, or is too slow for a machine or its state table",
        )
        self._late(
            "WaitingBlocks",
            announcer.metric("IteratorAge", period=_MINUTE, statistic="Maximum"),
            _PATIENCE.to_milliseconds(),
            "blocks wait for their announcement: the announcer fails or is too slow",
        )
        self._late(
            "WaitingArchive",
            archiver.metric("IteratorAge", period=_MINUTE, statistic="Maximum"),
            _PATIENCE.to_milliseconds(),
            "blocks wait for their archiving: the archiver fails or is too slow",
        )
        self._found(
            "ArchiveHealed",
            dumper,
            "blocks were missing in the archive and were healed from the table",
        )
        self._found(
            "ArchiveTrouble", dumper, "the archive lacks blocks, and the table cannot heal it"
        )

    def watch_drills(self, driller: lambda_.IFunction) -> None:
        """Watch the function that rehearses rebuilds."""
        self._alarm(
            "Drill",
            "a rehearsed rebuild failed: a lost table would not come back as it should",
            driller.metric_errors(period=_MINUTE, statistic="Sum"),
            above=0,
            minutes=1,
            silence=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _not_empty(self, id_: str, queue: sqs.IQueue, meaning: str) -> None:
        """SQS falls silent about a queue that nobody uses: what was true then still holds."""
        self._alarm(
            id_,
            meaning,
            queue.metric_approximate_number_of_messages_visible(
                period=_MINUTE, statistic="Maximum"
            ),
            above=0,
            minutes=1,
            silence=cloudwatch.TreatMissingData.IGNORE,
        )

    def _found(self, metric: str, function: lambda_.IFunction, meaning: str) -> None:
        """A count that the function prints only when there is something to count."""
        self._alarm(
            metric,
            meaning,
            cloudwatch.Metric(
                namespace="Blockfold",
                metric_name=metric,
                dimensions_map={"function": function.function_name},
                period=_MINUTE,
                statistic="Sum",
            ),
            above=0,
            minutes=1,
            silence=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _late(self, id_: str, age: cloudwatch.IMetric, limit: float, meaning: str) -> None:
        """No measurement means that nothing waits."""
        self._alarm(
            id_,
            meaning,
            age,
            above=limit,
            minutes=3,
            silence=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _alarm(
        self,
        id_: str,
        meaning: str,
        metric: cloudwatch.IMetric,
        *,
        above: float,
        minutes: int,
        silence: cloudwatch.TreatMissingData,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            id_,
            alarm_description=f"Blockfold: {meaning}",
            metric=metric,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=above,
            evaluation_periods=minutes,
            treat_missing_data=silence,
        )
        self.all.append(alarm)
