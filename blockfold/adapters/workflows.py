"""Executions of a Step Functions workflow.

Needs ``states:StartExecution`` and ``ListExecutions`` on the state machine, and
``DescribeExecution`` on its executions.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable

NAME_BYTES = 16
"""Hex digits of the machine's hash that begin an execution's name: ids may hold any punctuation,
names may not."""


class StepFunctions(Protocol):
    """What is used of a boto3 Step Functions client."""

    def start_execution(self, **named: str) -> dict[str, Any]:
        """See boto3."""

    def describe_execution(self, **named: str) -> dict[str, Any]:
        """See boto3."""

    def list_executions(self, **named: str) -> dict[str, Any]:
        """See boto3."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How an execution is.

    Attributes:
        running: Whether it goes on.
        error: Why it ended without success; empty if it did not.
    """

    running: bool
    error: str = ""


class Workflows:
    """Starts executions and asks how they are.

    Args:
        client: Gives a boto3 Step Functions client; first called at the first call.
        workflow: ARN of the state machine.
    """

    def __init__(self, client: Callable[[], StepFunctions], workflow: str) -> None:
        self._client = client
        self._workflow = workflow

    def start(self, machine: str, payload: Mapping[str, object]) -> str:
        """Start an execution for a machine, or find the one that runs; its ARN.

        Raises:
            Unavailable: It could not be started.
        """
        prefix = sha256(machine.encode()).hexdigest()[:NAME_BYTES]
        try:
            listed = self._client().list_executions(
                stateMachineArn=self._workflow, statusFilter="RUNNING"
            )
            for each in listed["executions"]:
                if each["name"].startswith(f"{prefix}-"):
                    return str(each["executionArn"])
            started = self._client().start_execution(
                stateMachineArn=self._workflow,
                name=f"{prefix}-{secrets.token_hex(8)}",
                input=msgspec.json.encode(payload).decode(),
            )
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not start {self._workflow}", error) from error
        return str(started["executionArn"])

    def look(self, execution: str) -> Execution:
        """How an execution is.

        Raises:
            Unavailable: It could not be asked.
        """
        try:
            found = self._client().describe_execution(executionArn=execution)
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not look at {execution}", error) from error
        status = found["status"]
        if status in {"RUNNING", "SUCCEEDED"}:
            return Execution(running=status == "RUNNING")
        told = f"{found.get('error', '')} {found.get('cause', '')}".strip()
        return Execution(
            running=False, error=f"{status.lower()}: {told}" if told else status.lower()
        )
