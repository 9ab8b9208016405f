"""The stack: its parts, what the parts may do to each other, what it tells its users."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import grants
from infra.alarms import Alarms
from infra.announcer import Announcer
from infra.archiver import Archiver
from infra.bundle import Bundle
from infra.bus import Bus
from infra.checks import Checks
from infra.driller import Driller
from infra.dumper import Dumper
from infra.executor import TIMEOUT_SECONDS, Executor
from infra.failures import Failures
from infra.function import LONGEST, FunctionBase, architecture
from infra.options import Platform, Stage
from infra.pruner import Pruner
from infra.queues import Queues
from infra.restore_workflow import RestoreWorkflow
from infra.restorer import Restorer
from infra.storage import Storage


class BlockfoldStack(Stack):
    """One machine type, with as many machines as the queue has message groups."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        bundle: Bundle,
        stage: Stage,
        platform: Platform,
        count: int,
        action_seconds: int,
        archive_seconds: int = 10,
        policy: Mapping[str, int] | None = None,
        drill_days: int = 0,
    ) -> None:
        """Lay out the stack around the asset `bundle`, built for `platform`.

        New machines get a snapshot every `count` blocks, none when it is 0, and those that the
        fields of `policy` promise; an action may take `action_seconds`. Blocks gather for
        `archive_seconds` on their way to the archive. Every `drill_days` the rebuild of a machine
        is rehearsed, never when it is 0.
        """
        super().__init__(
            scope,
            id_,
            description=f"Blockfold, a serverless state machine that remembers: {bundle.machine}",
            termination_protection=stage.keeps_data,
        )
        self.storage = Storage(self, "Storage", stage=stage)
        self.queues = Queues(
            self, "Queues", stage=stage, consumer_timeout=Duration.seconds(TIMEOUT_SECONDS)
        )
        self.failures = Failures(self, "Failures", stage=stage)
        self.checks = Checks(
            self, "Checks", stage=stage, failures=self.failures, consumer_timeout=LONGEST
        )
        self.bus = Bus(self, "Bus")
        base = FunctionBase(
            code=lambda_.Code.from_asset(str(bundle.directory)),
            architecture=architecture(platform),
            environment=self._environment(bundle.machine, count, policy or {}),
            stage=stage,
        )
        self.executor = Executor(
            self,
            "Executor",
            base=base,
            actions=self.queues.actions,
            action_seconds=action_seconds,
        )
        self.announcer = Announcer(
            self,
            "Announcer",
            base=base,
            blocks=self.storage.blocks,
            bus=self.bus.bus,
            checks=self.checks.queue,
            failures=self.failures,
        )
        self.archiver = Archiver(
            self,
            "Archiver",
            base=base,
            blocks=self.storage.blocks,
            failures=self.failures,
            seconds=archive_seconds,
        )
        self.dumper = Dumper(
            self,
            "Dumper",
            base=base,
            bus=self.bus,
            checks=self.checks.queue,
            failures=self.failures,
        )
        self.restorer = Restorer(self, "Restorer", base=base)
        self.restores = RestoreWorkflow(self, "Restores", restorer=self.restorer.function)
        self.pruner = Pruner(self, "Pruner", base=base, failures=self.failures)
        self.alarms = Alarms(
            self,
            "Alarms",
            actions=self.queues.actions,
            dead_letters=self.queues.dead_letters,
            failures=self.failures.queue,
            announcer=self.announcer.function,
            archiver=self.archiver.function,
            dumper=self.dumper.function,
        )

        grants.grant_executor(self.executor.role, self.storage)
        grants.grant_announcer(self.announcer.role, self.storage, self.bus.bus)
        grants.grant_archiver(self.archiver.role, self.storage)
        grants.grant_dumper(self.dumper.role, self.storage)
        grants.grant_restorer(self.restorer.role, self.storage)
        grants.grant_pruner(self.pruner.role, self.storage)

        if drill_days:
            driller = Driller(self, "Driller", base=base, failures=self.failures, days=drill_days)
            grants.grant_driller(driller.role, self.storage)
            self.alarms.watch_drills(driller.function)
            self._output("DrillerFunctionName", driller.function.function_name, "Tests rebuilds")

        self._output("ActionsQueueUrl", self.queues.actions.queue_url, "Send actions here")
        self._output("DeadLetterQueueUrl", self.queues.dead_letters.queue_url, "Actions given up")
        self._output("ChecksQueueUrl", self.checks.queue.queue_url, "Is a snapshot due? Later")
        self._output("FailureQueueUrl", self.failures.queue.queue_url, "Events and dumps given up")
        self._output("BlocksTableName", self.storage.blocks.table_name, "The log: every block")
        self._output("StateTableName", self.storage.state.table_name, "The state of each machine")
        self._output("MachinesTableName", self.storage.machines.table_name, "One item a machine")
        self._output("SnapshotsBucketName", self.storage.snapshots.bucket_name, "Large objects")
        self._output("EventBusName", self.bus.bus.event_bus_name, "Hear of every block here")
        self._output("ExecutorFunctionName", self.executor.function.function_name, "The executor")
        self._output("AnnouncerFunctionName", self.announcer.function.function_name, "Announcer")
        self._output("ArchiverFunctionName", self.archiver.function.function_name, "The archiver")
        self._output("DumperFunctionName", self.dumper.function.function_name, "Call it to dump")
        self._output("PrunerFunctionName", self.pruner.function.function_name, "Lets the past go")
        self._output("RestoreFunctionName", self.restorer.function.function_name, "Brings it back")
        self._output("RestoreWorkflowArn", self.restores.workflow.attr_arn, "Large restores")

    def _environment(self, machine: str, count: int, policy: Mapping[str, int]) -> dict[str, str]:
        return {
            **{f"BLOCKFOLD_{name.upper()}": str(value) for name, value in policy.items()},
            "BLOCKFOLD_MACHINE": machine,
            "BLOCKFOLD_COUNT": str(count),
            "BLOCKFOLD_BLOCKS_TABLE": self.storage.blocks.table_name,
            "BLOCKFOLD_STATE_TABLE": self.storage.state.table_name,
            "BLOCKFOLD_MACHINES_TABLE": self.storage.machines.table_name,
            "BLOCKFOLD_SNAPSHOTS_BUCKET": self.storage.snapshots.bucket_name,
        }

    def _output(self, name: str, value: str, description: str) -> None:
        CfnOutput(self, name, value=value, description=description)
