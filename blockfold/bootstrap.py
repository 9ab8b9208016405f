"""Wiring: settings → adapters → use cases. The only module that knows them all."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import Any

from blockfold.adapters.clients import Clients
from blockfold.adapters.dynamodb import DynamoBlockLog, DynamoMachines, DynamoStateTable
from blockfold.adapters.eventbridge import EventBridgeBus
from blockfold.adapters.s3 import S3ObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.adapters.sqs import SqsQueue
from blockfold.adapters.system import AlarmGuard, SystemClock
from blockfold.application.announce import Announcer
from blockfold.application.dump import Dumper
from blockfold.application.execute import Executor
from blockfold.application.export import Exporter
from blockfold.application.frames import Stepper
from blockfold.application.read import Reader
from blockfold.application.restore import Restorer
from blockfold.application.travel import Traveller
from blockfold.application.verify import Verifier
from blockfold.domain.errors import Misconfigured
from blockfold.domain.machine import Machine
from blockfold.domain.schedule import Schedule
from blockfold.settings import Settings


class Adapters:
    """A stack's ports on AWS, each made when it is first asked for.

    Args:
        settings: Names of the stack's resources.
        clients: AWS clients; by the usual AWS configuration if not given.
    """

    def __init__(self, settings: Settings, clients: Clients | None = None) -> None:
        self.settings = settings
        self.clients = clients or Clients()
        self.clock = SystemClock()

    @cached_property
    def objects(self) -> S3ObjectStore:
        """The bucket."""
        return S3ObjectStore(lambda: self.clients.s3, self.settings.snapshots_bucket)

    @cached_property
    def snapshots(self) -> ObjectSnapshots:
        """The snapshots in the bucket."""
        return ObjectSnapshots(self.objects)

    @cached_property
    def bus(self) -> EventBridgeBus:
        """The event bus."""
        return EventBridgeBus(self.clients.events, self.settings.event_bus)

    @cached_property
    def log(self) -> DynamoBlockLog:
        """The Blocks table."""
        return DynamoBlockLog(self.clients.dynamodb, self.settings.blocks_table, self.objects)

    @cached_property
    def table(self) -> DynamoStateTable:
        """The State table."""
        return DynamoStateTable(self.clients.dynamodb, self.settings.state_table, self.clock)

    @cached_property
    def machines(self) -> DynamoMachines:
        """The Machines table."""
        return DynamoMachines(self.clients.dynamodb, self.settings.machines_table)


def actions_queue(adapters: Adapters) -> SqsQueue:
    """The actions queue of a stack, for its executor.

    Raises:
        Misconfigured: The settings do not name it.
    """
    if not adapters.settings.actions_queue:
        raise Misconfigured(
            "the environment lacks BLOCKFOLD_ACTIONS_QUEUE_URL",
            hint="the stack sets it: deploy it again",
        )
    return SqsQueue(adapters.clients.sqs, adapters.settings.actions_queue)


def reader(adapters: Adapters) -> Reader:
    """The reader of a stack."""
    return Reader(adapters.log, adapters.table, adapters.machines, adapters.snapshots)


def verifier(adapters: Adapters) -> Verifier:
    """The verifier of a stack."""
    return Verifier(adapters.log, adapters.table, adapters.machines, adapters.snapshots)


def exporter(adapters: Adapters) -> Exporter:
    """The exporter of a stack."""
    return Exporter(Traveller(adapters.log, adapters.snapshots))


def stepper(adapters: Adapters) -> Stepper:
    """What steps through blocks of a stack, each action within the usual time."""
    guard = AlarmGuard(adapters.settings.action_seconds)
    return Stepper(Traveller(adapters.log, adapters.snapshots), guard)


def announcer(adapters: Adapters) -> Announcer:
    """The announcer of a stack."""
    return Announcer(adapters.machines, adapters.bus)


def dumper(adapters: Adapters) -> Dumper:
    """The dumper of a stack."""
    return Dumper(adapters.log, adapters.machines, adapters.snapshots, adapters.clock)


def restorer(adapters: Adapters) -> Restorer:
    """The restorer of a stack."""
    return Restorer(
        log=adapters.log,
        table=adapters.table,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        clock=adapters.clock,
        schedule=Schedule.new(adapters.settings.count),
    )


def executor(adapters: Adapters) -> Executor:
    """The executor of a stack.

    Raises:
        Misconfigured: The machine class cannot be loaded.
        DefinitionError: It is written wrongly.
    """
    settings = adapters.settings
    return Executor(
        machine=load_machine(settings.machine)(),
        log=adapters.log,
        table=adapters.table,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        clock=adapters.clock,
        schedule=Schedule.new(settings.count),
        guard=AlarmGuard(settings.action_seconds),
    )


def load_machine(spec: str) -> type[Machine]:
    """The machine class named ``module:Class``, checked.

    Raises:
        Misconfigured: There is no such module or class, or it is no machine.
        DefinitionError: One of its actions is written wrongly.
    """
    module, _, name = spec.partition(":")
    if not module or not name:
        raise Misconfigured(f"{spec!r} names no machine", hint="write module:Class")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Misconfigured(f"the machine {spec!r} cannot be loaded: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Machine)):
        raise Misconfigured(f"{spec!r} is no subclass of blockfold.Machine")
    found.actions()
    return found
