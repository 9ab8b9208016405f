"""The stack: its parts, what the parts may do to each other, what it tells its users."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bundle import Bundle
from infra.executor import TIMEOUT_SECONDS, Executor
from infra.function import FunctionBase, architecture
from infra.nag import acknowledge_object_prefix
from infra.options import Platform, Stage
from infra.queues import Queues
from infra.storage import Storage

_OBJECTS = "machines/*"
"""Every object of the bucket stands below the machine that it belongs to."""


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
    ) -> None:
        """Lay out the stack around the asset `bundle`, built for `platform`."""
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
        base = FunctionBase(
            code=lambda_.Code.from_asset(str(bundle.directory)),
            architecture=architecture(platform),
            environment=self._environment(bundle.machine),
            stage=stage,
        )
        self.executor = Executor(self, "Executor", base=base, actions=self.queues.actions)

        self._grant_executor(self.executor.role)

        self._output("ActionsQueueUrl", self.queues.actions.queue_url, "Send actions here")
        self._output("DeadLetterQueueUrl", self.queues.dead_letters.queue_url, "Actions given up")
        self._output("BlocksTableName", self.storage.blocks.table_name, "The log: every block")
        self._output("StateTableName", self.storage.state.table_name, "The state of each machine")
        self._output("MachinesTableName", self.storage.machines.table_name, "One item a machine")
        self._output("SnapshotsBucketName", self.storage.snapshots.bucket_name, "Large objects")
        self._output("ExecutorFunctionName", self.executor.function.function_name, "The executor")

    def _environment(self, machine: str) -> dict[str, str]:
        return {
            "BLOCKFOLD_MACHINE": machine,
            "BLOCKFOLD_BLOCKS_TABLE": self.storage.blocks.table_name,
            "BLOCKFOLD_STATE_TABLE": self.storage.state.table_name,
            "BLOCKFOLD_MACHINES_TABLE": self.storage.machines.table_name,
            "BLOCKFOLD_SNAPSHOTS_BUCKET": self.storage.snapshots.bucket_name,
        }

    def _grant_executor(self, role: iam.Role) -> None:
        """Append blocks, never change or delete one; write state; keep the machine's item."""
        self.storage.blocks.grant(role, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
        self.storage.state.grant(
            role,
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PartiQLInsert",
            "dynamodb:PartiQLUpdate",
            "dynamodb:Query",
        )
        self.storage.machines.grant(
            role, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"
        )
        self._grant_objects(role, "s3:GetObject", "s3:PutObject")

    def _grant_objects(self, role: iam.Role, *actions: str) -> None:
        bucket = self.storage.snapshots
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=[*actions], resources=[bucket.arn_for_objects(_OBJECTS)])
        )
        acknowledge_object_prefix(role, bucket=bucket, prefix=_OBJECTS)

    def _output(self, name: str, value: str, description: str) -> None:
        CfnOutput(self, name, value=value, description=description)
