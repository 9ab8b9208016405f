"""What callers see of a local stack, and the variables that point AWS clients at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blockfold.local.clients import ACCESS_KEY, SECRET_KEY
from blockfold.local.stack_file import StackFile


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStack:
    """One stack in the emulator.

    `outputs` are CloudFormation's, by name. `machine` is as it was asked for; None stands for the
    app's default. `pid` and `port` are the emulator's; `data` and `log` are absolute paths.
    """

    endpoint: str
    region: str
    stack: str
    outputs: Mapping[str, str]
    machine: str | None
    pid: int | None
    port: int
    data: Path
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStatus:
    """What is there: whether the emulator runs and answers, and every stack that is known.

    After ``down``, and when the emulator was killed, the stacks are those of the last ``up``.
    """

    running: bool
    healthy: bool
    stacks: tuple[LocalStack, ...]
    data: Path
    log: Path

    @property
    def stack(self) -> LocalStack | None:
        """The stack that was brought up first."""
        return self.stacks[0] if self.stacks else None


def view(content: StackFile, stack: str) -> LocalStack:
    """One stack out of the content of ``local.json``."""
    deployed = content.stacks[stack]
    return LocalStack(
        endpoint=content.endpoint,
        region=content.region,
        stack=stack,
        outputs=deployed.outputs,
        machine=deployed.machine,
        pid=content.pid,
        port=content.port,
        data=Path(content.data),
        log=Path(content.log),
    )


def environment(stack: LocalStack) -> dict[str, str]:
    """The variables that point every AWS client, and ``blockfold`` itself, at `stack`."""
    return {
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_REGION": stack.region,
        "BLOCKFOLD_STACK": stack.stack,
    }
