"""What all Lambda functions of the stack have in common."""

from __future__ import annotations

import platform as host
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.options import Platform, Stage

RUNTIME = lambda_.Runtime.PYTHON_3_14

ONE_VCPU = 1769
"""Memory in MB at which Lambda gives a whole vCPU."""

LONGEST = Duration.minutes(15)
"""The longest that a Lambda function may run."""


def architecture(platform: Platform) -> lambda_.Architecture:
    """Graviton in the cloud, where it is a fifth cheaper; on a host, the host's own."""
    if platform is Platform.LAMBDA or host.machine().lower() in {"arm64", "aarch64"}:
        return lambda_.Architecture.ARM_64
    return lambda_.Architecture.X86_64


@dataclass(frozen=True, kw_only=True)
class FunctionBase:
    """The asset, architecture, environment and stage that every function of a stack shares."""

    code: lambda_.Code
    architecture: lambda_.Architecture
    environment: Mapping[str, str]
    stage: Stage


class BlockfoldFunction(Construct):
    """A function `lambdas.<name>.handler` with a role and a log group of its own.

    The role may write to that log group and nothing else: what more it needs, the stack grants.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        description: str,
        base: FunctionBase,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Make the function; `id_` names its handler and its service: `Executor`, executor.

        `environment` holds the variables that only this function has.
        """
        super().__init__(scope, id_)
        name = id_.lower()
        keeps = base.stage.keeps_data
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=logs.RetentionDays.SIX_MONTHS if keeps else logs.RetentionDays.TWO_WEEKS,
            removal_policy=RemovalPolicy.RETAIN if keeps else RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Blockfold's {name}: its own logs and what the stack grants",
        )
        log_group.grant(self.role, "logs:CreateLogStream", "logs:PutLogEvents")
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=base.code,
            handler=f"lambdas.{name}.handler",
            runtime=RUNTIME,
            architecture=base.architecture,
            memory_size=ONE_VCPU,
            timeout=timeout,
            role=self.role,
            log_group=log_group,
            environment={
                **base.environment,
                **(environment or {}),
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": "Blockfold",
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
        )
