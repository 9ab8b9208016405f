"""A deployed stack and how it is found.

Which stack: the one that is named, or ``BLOCKFOLD_STACK``, looked up by CloudFormation under the
usual AWS configuration (``AWS_ENDPOINT_URL`` included); with neither, the local stack of the
working directory or one of its parents. Unless ``AWS_ENDPOINT_URL`` is set, a local stack of that
name that runs there comes before one in AWS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from blockfold import local
from blockfold.adapters.aws import unavailable
from blockfold.adapters.clients import Clients
from blockfold.adapters.dead_letters import SqsDeadLetters
from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.functions import Functions
from blockfold.adapters.intake import LambdaIntake
from blockfold.adapters.overlay import OverlayObjectStore
from blockfold.adapters.sqs import SqsQueue
from blockfold.application.delete import Deleter
from blockfold.application.drill import Drill
from blockfold.application.export import Exporter
from blockfold.application.frames import Stepper
from blockfold.application.read import Reader
from blockfold.application.rebuild import Rebuilder
from blockfold.application.redrive import Redriver
from blockfold.application.repair import Repairer
from blockfold.application.verify import Verifier
from blockfold.bootstrap import (
    Adapters,
    deleter,
    drill,
    exporter,
    reader,
    rebuilder,
    redriver,
    repairer,
    stepper,
    verifier,
)
from blockfold.client.machine import MachineReader
from blockfold.domain.errors import Misconfigured, NotFound
from blockfold.domain.schedule import Schedule
from blockfold.ports import BlockLog, ObjectStore
from blockfold.settings import Settings

if TYPE_CHECKING:
    from blockfold.client.asynchronous import AsyncMachineReader
    from blockfold.producer import Acknowledged, AsyncProducer, Options, Producer

STACK_VARIABLE = "BLOCKFOLD_STACK"


@dataclass(frozen=True)
class Stack:
    """A deployed stack and what can be done with it.

    Attributes:
        name: The CloudFormation stack's name.
        outputs: Its outputs.
        clients: AWS clients that reach it.
        machine_class: The class that a local stack runs, as it was asked for; None if it was
            not, or if the stack is not a local one.
        root: The project folder of a local stack.
    """

    name: str
    outputs: Mapping[str, str]
    clients: Clients
    machine_class: str | None = None
    root: Path | None = None

    @cached_property
    def adapters(self) -> Adapters:
        """The stack's ports."""
        return Adapters(Settings.from_outputs(self.outputs), self.clients)

    @cached_property
    def reader(self) -> Reader:
        """Reads machines: state, blocks, past."""
        return reader(self.adapters)

    def machine(self, machine: str) -> MachineReader:
        """One machine, to read.

        Args:
            machine: The machine's id. It need not exist yet.

        Raises:
            Misconfigured: No machine can have that id.
        """
        return MachineReader(self.reader, machine, self.adapters.clock)

    def async_machine(self, machine: str) -> AsyncMachineReader:
        """The same for asyncio.

        Raises:
            Misconfigured: No machine can have that id.
        """
        # asyncio takes 30 ms to import, which the command line can do without
        from blockfold.client.asynchronous import AsyncMachineReader  # noqa: PLC0415

        _ = self.clients.s3  # clients are made by one thread, and then used by many
        return AsyncMachineReader(self.machine(machine))

    @cached_property
    def verifier(self) -> Verifier:
        """Proves that log, table and bucket agree."""
        return verifier(self.adapters)

    @contextmanager
    def repairer(self, *, dry_run: bool) -> Iterator[Repairer]:
        """Heals the bucket; a dry run works on a scratch folder over it."""
        with TemporaryDirectory() as scratch:
            objects: ObjectStore = self.adapters.objects
            if dry_run:
                objects = OverlayObjectStore(objects, FolderObjectStore(Path(scratch)))
            yield repairer(self.adapters, objects)

    @cached_property
    def exporter(self) -> Exporter:
        """Streams whole states."""
        return exporter(self.adapters)

    @cached_property
    def stepper(self) -> Stepper:
        """Executes blocks of the past again."""
        return stepper(self.adapters)

    def call(self, output: str, payload: Mapping[str, object]) -> dict[str, Any]:
        """Call one of the stack's functions and wait for its answer.

        Args:
            output: The stack output that names the function.
            payload: What it is given.

        Raises:
            BlockfoldError: The function ended in an error.
            Unavailable: It could not be called.
        """
        return Functions(lambda: self.clients.lambda_).call(self.outputs[output], payload)

    @cached_property
    def intake(self) -> LambdaIntake:
        """The way of actions from the queue into the executor."""
        return LambdaIntake(
            lambda: self.clients.lambda_,
            self.outputs["ExecutorFunctionName"],
            self.adapters.clock,
            drain=self.root is None,
        )

    @property
    def rebuilder(self) -> Rebuilder:
        """Puts lost tables back; new machines are dumped as the executor is told."""
        told = Settings.from_environment(self.intake.environment)
        return rebuilder(self.adapters, Schedule.new(told.count, told.policy))

    @property
    def deleter(self) -> Deleter:
        """Deletes machines."""
        return deleter(self.adapters)

    @property
    def redriver(self) -> Redriver:
        """Brings dead letters back."""
        url = self.outputs["DeadLetterQueueUrl"]
        return redriver(self.adapters, SqsDeadLetters(self.clients.sqs, url, self.queue))

    @property
    def drill(self) -> Drill:
        """Rehearses rebuilds."""
        return drill(self.adapters)

    @cached_property
    def queue(self) -> SqsQueue:
        """The actions queue."""
        return SqsQueue(self.clients.sqs, self.outputs["ActionsQueueUrl"])

    def producer(
        self,
        *,
        track: bool = True,
        acknowledged: Acknowledged | None = None,
        **options: Unpack[Options],
    ) -> Producer:
        """A producer of actions for this stack's machines.

        Args:
            track: Whether it can wait for outcomes, which takes one read of the log for each
                machine that it sends to; without it it needs no permission to read.
            acknowledged: See `blockfold.Producer`.
            options: See `blockfold.producer.Bounds`.

        Raises:
            Misconfigured: An option cannot be.
        """
        from blockfold.producer import Producer  # noqa: PLC0415 - most programs only read

        log = self._followed if track else None
        return Producer(self.queue, log=log, acknowledged=acknowledged, **options)

    def async_producer(
        self,
        *,
        track: bool = True,
        acknowledged: Acknowledged | None = None,
        **options: Unpack[Options],
    ) -> AsyncProducer:
        """The same for asyncio.

        Raises:
            Misconfigured: An option cannot be.
        """
        from blockfold.producer import AsyncProducer  # noqa: PLC0415 - see async_machine

        log = self._followed if track else None
        return AsyncProducer(self.queue, log=log, acknowledged=acknowledged, **options)

    @property
    def _followed(self) -> BlockLog:
        """All blocks, for several threads: clients are made by one, and then used by many."""
        _ = self.clients.s3
        return self.adapters.archived_log


def connect(name: str | None = None, *, folder: Path | None = None) -> Stack:
    """Find a stack.

    Args:
        name: The stack's name; see the module for what holds without one.
        folder: Where to look for a local stack; the working directory by default.

    Raises:
        NotFound: There is no such stack.
        Misconfigured: Nothing names a stack, or the AWS configuration cannot be used.
        Unavailable: CloudFormation could not be asked.
    """
    name = name or os.environ.get(STACK_VARIABLE)
    if name and (os.environ.get("AWS_ENDPOINT_URL") or not _local(folder, name)):
        return _deployed(name)
    found = _local(folder, name)
    if found is None:
        raise Misconfigured(
            "no stack is named and none runs here",
            hint=f"start one with `blockfold local up`, or set {STACK_VARIABLE} to a deployed one",
        )
    return found


def _deployed(name: str) -> Stack:
    clients = Clients()
    try:
        asked = clients.cloudformation
    except (BotoCoreError, ValueError) as error:  # botocore says ValueError of an endpoint
        raise Misconfigured(
            f"could not look up stack {name!r}: {error}",
            hint="set AWS_DEFAULT_REGION or a profile that has a region; AWS_ENDPOINT_URL is a URL "
            "or not set",
        ) from error
    try:
        answer = asked.describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error):
            raise NotFound(
                f"there is no stack {name!r}", hint="check region, account and endpoint"
            ) from error
        raise unavailable(f"could not look up stack {name!r}", error) from error
    except BotoCoreError as error:
        raise unavailable(f"could not look up stack {name!r}", error) from error
    outputs = answer["Stacks"][0].get("Outputs", [])
    return Stack(name, {each["OutputKey"]: each["OutputValue"] for each in outputs}, clients)


def _local(folder: Path | None, name: str | None) -> Stack | None:
    """The local stack of that name (or the first) in a folder or one of its parents."""
    here = (folder or Path.cwd()).resolve()
    for root in (here, *here.parents):
        if not (root / ".blockfold" / "local.json").is_file():
            continue
        for stack in local.status(root).stacks:
            if name in (None, stack.stack):
                return of_local(stack)
    return None


def of_local(stack: local.LocalStack) -> Stack:
    """A local stack as any other.

    Args:
        stack: What `blockfold.local.up` answered.
    """
    settings = local.environment(stack)
    session = boto3.Session(
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        region_name=stack.region,
    )
    clients = Clients(session, stack.endpoint)
    return Stack(stack.stack, stack.outputs, clients, stack.machine, stack.data.parent)
