"""The restore workflow: what does not fit one function, cut by key and done side by side."""

from __future__ import annotations

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

_AT_ONCE = 10
"""Functions at work: as many as the restorer cuts ranges."""

_RETRIES = [
    {"ErrorEquals": ["Corrupted", "Misconfigured", "NotFound", "Refused"], "MaxAttempts": 0},
    {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 5,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 20,
        "JitterStrategy": "FULL",
    },
]
"""Damage stays, whatever is tried; all else is tried for more than an hour. After that, starting
the workflow again goes on from where it stood."""


class RestoreWorkflow(Construct):
    """Takes ``{"machine"}``, whose restore block stands in the log, and brings its table up to it.

    Split: flush what came before and cut the keys into ranges. Map: each range by as many calls
    as it takes. Finish: write what came meanwhile, and say that the table holds it all. How far
    it is stands in the Machines table, not here: any number of executions may start and die.
    """

    def __init__(self, scope: Construct, id_: str, *, restorer: lambda_.Function) -> None:
        """Make the state machine and its role, which may invoke the restorer and nothing else."""
        super().__init__(scope, id_)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            description="Blockfold's restore workflow: invokes the restorer",
        )
        invoke = iam.Grant.add_to_principal(
            grantee=role,
            actions=["lambda:InvokeFunction"],
            resource_arns=[restorer.function_arn],
        )
        self.workflow = stepfunctions.CfnStateMachine(
            self,
            "Workflow",
            role_arn=role.role_arn,
            definition_string=Stack.of(self).to_json_string(_definition(restorer.function_arn)),
        )
        invoke.apply_before(self.workflow)
        Validations.of(self.workflow).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SF1",
                reason="Step Functions keeps every event of an execution for 90 days, and the "
                "restorer logs each call; log delivery would need rights on all log groups.",
            ),
            Acknowledgment(
                id="AwsSolutions-SF2",
                reason="Each step is one function call that logs what it did: a trace adds "
                "nothing, and would need rights on all of X-Ray.",
            ),
        )


def _definition(restorer: str) -> dict[str, Any]:
    fill = {
        "StartAt": "Fill",
        "States": {
            "Fill": {"Type": "Task", "Resource": restorer, "Retry": _RETRIES, "Next": "Filled?"},
            "Filled?": _until_done("Fill", "Filled"),
            "Filled": {"Type": "Succeed"},
        },
    }
    return {
        "Comment": "Blockfold: bring a state table up to a restore block, range by range",
        "StartAt": "Split",
        "States": {
            "Split": _step(restorer, "split", "Flushed?"),
            "Flushed?": _until_done("Split", "Ranges"),
            "Ranges": {
                "Type": "Map",
                "ItemsPath": "$.ranges",
                "MaxConcurrency": _AT_ONCE,
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **fill},
                "ResultPath": "$.filled",
                "Next": "Finish",
            },
            "Finish": _step(restorer, "finish", "Finished?"),
            "Finished?": _until_done("Finish", "Restored"),
            "Restored": {"Type": "Succeed"},
        },
    }


def _step(restorer: str, name: str, following: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": restorer,
        "Parameters": {"machine.$": "$.machine", "step": name},
        "Retry": _RETRIES,
        "Next": following,
    }


def _until_done(again: str, following: str) -> dict[str, Any]:
    done = {"Variable": "$.done", "BooleanEquals": True, "Next": following}
    return {"Type": "Choice", "Choices": [done], "Default": again}
