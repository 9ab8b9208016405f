"""What a process is told by its environment, read once and in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from blockfold.domain.errors import Misconfigured
from blockfold.domain.policy import LARGEST, Policy, amended

PREFIX = "BLOCKFOLD_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Names of a stack's resources, and a Lambda's own settings.

    Attributes:
        blocks_table: Name of the Blocks table.
        state_table: Name of the State table.
        machines_table: Name of the Machines table.
        snapshots_bucket: Name of the bucket.
        machine: ``module:Class`` of the machine; empty where no user code runs.
        action_seconds: Time budget of one action.
        count: Every count-th block of a new machine is dumped; 0 is never.
        event_bus: Name of the bus; only the announcer has one.
        actions_queue: URL of the actions queue; only the executor has one.
        policy: How fresh the newest snapshot of a new machine is kept; None promises nothing.
        checks_queue: URL of the queue of checks; only the announcer and the dumper have one.
    """

    blocks_table: str
    state_table: str
    machines_table: str
    snapshots_bucket: str
    machine: str = ""
    action_seconds: float = 5.0
    count: int = 0
    event_bus: str = ""
    actions_queue: str = ""
    policy: Policy | None = None
    checks_queue: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings of a Lambda function.

        Raises:
            Misconfigured: A variable is missing or unreadable.
        """
        names = ("BLOCKS_TABLE", "STATE_TABLE", "MACHINES_TABLE", "SNAPSHOTS_BUCKET", "MACHINE")
        missing = [PREFIX + name for name in names if not environment.get(PREFIX + name)]
        if missing:
            raise Misconfigured(
                f"the environment lacks {', '.join(missing)}",
                hint="the stack sets them: deploy it again",
            )
        blocks, state, machines, bucket, machine = (environment[PREFIX + name] for name in names)
        return cls(
            blocks_table=blocks,
            state_table=state,
            machines_table=machines,
            snapshots_bucket=bucket,
            machine=machine,
            action_seconds=_seconds(environment.get(PREFIX + "ACTION_SECONDS", "5")),
            count=_count(environment.get(PREFIX + "COUNT", "0")),
            event_bus=environment.get(PREFIX + "EVENT_BUS", ""),
            actions_queue=environment.get(PREFIX + "ACTIONS_QUEUE_URL", ""),
            policy=_policy(environment),
            checks_queue=environment.get(PREFIX + "CHECKS_QUEUE_URL", ""),
        )

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> Settings:
        """The settings of a client, from a stack's outputs.

        Raises:
            Misconfigured: It is no stack of ours.
        """
        try:
            return cls(
                blocks_table=outputs["BlocksTableName"],
                state_table=outputs["StateTableName"],
                machines_table=outputs["MachinesTableName"],
                snapshots_bucket=outputs["SnapshotsBucketName"],
            )
        except KeyError as error:
            raise Misconfigured(
                f"the stack has no output {error}", hint="is it a Blockfold stack?"
            ) from None


def _count(text: str) -> int:
    if text.isdigit():
        return int(text)
    if text == "none":
        return 0
    raise Misconfigured(f"{PREFIX}COUNT={text!r} is no whole number", hint="0 or none is off")


def _policy(environment: Mapping[str, str]) -> Policy | None:
    """Each field from the variable of its name; one that is missing promises nothing."""
    fields = {
        name: int(text) if text.isdigit() else text
        for name in LARGEST
        if (text := environment.get(PREFIX + name.upper(), ""))
    }
    if not fields:
        return None
    policy = amended(None, fields)
    if isinstance(policy, str):
        raise Misconfigured(f"{PREFIX}…: {policy}", hint="deploy the stack with other options")
    return policy


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:  # noqa: PLR2004 - below Lambda's 15 minutes
        raise Misconfigured(f"{PREFIX}ACTION_SECONDS={text!r} is no time from above 0 to 600 s")
    return seconds
