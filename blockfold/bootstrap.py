"""Wiring: settings → adapters → use cases. The only module that knows them all.

What the executor does not need is imported where it is made: its cold starts are waited for.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.clients import Clients
from blockfold.adapters.dynamodb import DynamoBlockLog, DynamoMachines, DynamoStateTable
from blockfold.adapters.s3 import S3ObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.adapters.sqs import SqsQueue
from blockfold.adapters.system import AlarmGuard, SystemClock
from blockfold.application.execute import Executor
from blockfold.domain.apply import Runner
from blockfold.domain.errors import Corrupted, Misconfigured
from blockfold.domain.machine import Machine
from blockfold.domain.schedule import Schedule
from blockfold.ports import DeadLetters, ObjectStore
from blockfold.settings import Settings

if TYPE_CHECKING:
    from blockfold.adapters.checks import SqsChecks
    from blockfold.adapters.dynamodb.erase import DynamoEraser
    from blockfold.adapters.eventbridge import EventBridgeBus
    from blockfold.application.announce import Announcer
    from blockfold.application.checks import Checker
    from blockfold.application.compact import Compactor
    from blockfold.application.delete import Deleter
    from blockfold.application.drill import Drill
    from blockfold.application.dump import Dumper
    from blockfold.application.export import Exporter
    from blockfold.application.frames import Stepper
    from blockfold.application.import_state import Importer
    from blockfold.application.prune import Pruner
    from blockfold.application.read import Reader
    from blockfold.application.rebuild import Rebuilder
    from blockfold.application.redrive import Redriver
    from blockfold.application.repair import Repairer
    from blockfold.application.restore import Restorer
    from blockfold.application.ship import Shipper
    from blockfold.application.verify import Verifier


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
        from blockfold.adapters.eventbridge import EventBridgeBus

        return EventBridgeBus(self.clients.events, self.settings.event_bus)

    @cached_property
    def checks(self) -> SqsChecks:
        """The queue of checks.

        Raises:
            Misconfigured: The settings do not name it.
        """
        from blockfold.adapters.checks import SqsChecks

        if not self.settings.checks_queue:
            raise Misconfigured(
                "the environment lacks BLOCKFOLD_CHECKS_QUEUE_URL",
                hint="the stack sets it: deploy it again",
            )
        return SqsChecks(self.clients.sqs, self.settings.checks_queue)

    @cached_property
    def log(self) -> DynamoBlockLog:
        """The Blocks table by itself, without what has left it."""
        return DynamoBlockLog(self.clients.dynamodb, self.settings.blocks_table, self.objects)

    @cached_property
    def archive(self) -> ObjectArchive:
        """The archived blocks in the bucket."""
        return ObjectArchive(self.objects)

    @cached_property
    def archived_log(self) -> ArchivedBlockLog:
        """All blocks: the Blocks table, and the archive for what has left it."""
        return ArchivedBlockLog(self.log, self.archive)

    @cached_property
    def table(self) -> DynamoStateTable:
        """The State table."""
        return DynamoStateTable(self.clients.dynamodb, self.settings.state_table, self.clock)

    @cached_property
    def machines(self) -> DynamoMachines:
        """The Machines table."""
        return DynamoMachines(self.clients.dynamodb, self.settings.machines_table)

    @cached_property
    def eraser(self) -> DynamoEraser:
        """What deletes from the tables."""
        from blockfold.adapters.dynamodb.erase import DynamoEraser

        return DynamoEraser(
            self.clients.dynamodb,
            blocks=self.settings.blocks_table,
            state=self.settings.state_table,
            machines=self.settings.machines_table,
        )


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
    from blockfold.application.read import Reader

    return Reader(adapters.archived_log, adapters.table, adapters.machines, adapters.snapshots)


def verifier(adapters: Adapters) -> Verifier:
    """The verifier of a stack."""
    from blockfold.adapters.bodies import ObjectBodies
    from blockfold.application.inspect_bucket import Bucket
    from blockfold.application.verify import Verifier

    return Verifier(
        adapters.archived_log,
        adapters.table,
        adapters.machines,
        adapters.snapshots,
        Bucket(adapters.objects, adapters.archive, ObjectBodies(adapters.objects), adapters.log),
    )


def repairer(adapters: Adapters, objects: ObjectStore) -> Repairer:
    """What heals a stack's bucket.

    Args:
        adapters: The stack's ports.
        objects: The bucket, or an `OverlayObjectStore` over it for a dry run.
    """
    from blockfold.adapters.bodies import ObjectBodies
    from blockfold.application.inspect_bucket import Bucket
    from blockfold.application.repair import Repairer

    archive, snapshots = ObjectArchive(objects), ObjectSnapshots(objects)
    live = DynamoBlockLog(adapters.clients.dynamodb, adapters.settings.blocks_table, objects)
    return Repairer(
        bucket=Bucket(objects, archive, ObjectBodies(objects), live),
        log=ArchivedBlockLog(live, archive),
        table=adapters.table,
        machines=adapters.machines,
        snapshots=snapshots,
        clock=adapters.clock,
    )


def exporter(adapters: Adapters) -> Exporter:
    """The exporter of a stack."""
    from blockfold.application.export import Exporter
    from blockfold.application.travel import Traveller

    return Exporter(Traveller(adapters.archived_log, adapters.snapshots))


def stepper(adapters: Adapters) -> Stepper:
    """What steps through blocks of a stack, each action within the usual time."""
    from blockfold.application.frames import Stepper
    from blockfold.application.travel import Traveller

    guard = AlarmGuard(adapters.settings.action_seconds)
    return Stepper(Traveller(adapters.archived_log, adapters.snapshots), guard)


def announcer(adapters: Adapters) -> Announcer:
    """The announcer of a stack."""
    from blockfold.application.announce import Announcer

    return Announcer(adapters.machines, adapters.bus, adapters.checks)


def shipper(adapters: Adapters) -> Shipper:
    """The archiver of a stack."""
    from blockfold.application.ship import Shipper

    return Shipper(adapters.archive)


def compactor(adapters: Adapters) -> Compactor:
    """What keeps the archive of a stack whole, from the Blocks table by itself."""
    from blockfold.application.compact import Compactor
    from blockfold.application.kept_settings import KeptSettings

    kept = KeptSettings(adapters.objects)
    return Compactor(adapters.log, adapters.archive, adapters.machines, adapters.clock, kept)


def log_damage(error: Corrupted) -> None:
    """Write a damaged manifest, beside which snapshots are made all the same, into the log."""
    logging.getLogger(__name__).error("a damaged snapshot was passed over, repair it: %s", error)


def dumper(adapters: Adapters, passed: Callable[[Corrupted], None] = log_damage) -> Dumper:
    """The dumper of a stack.

    Args:
        adapters: The stack's ports.
        passed: Told of each damaged manifest that is passed over.
    """
    from blockfold.application.dump import Dumper
    from blockfold.application.kept_settings import KeptSettings

    return Dumper(
        adapters.archived_log,
        adapters.machines,
        adapters.snapshots,
        adapters.clock,
        KeptSettings(adapters.objects),
        passed,
    )


def checker(adapters: Adapters, passed: Callable[[Corrupted], None] = log_damage) -> Checker:
    """What looks whether a policy calls for a snapshot; see `dumper`."""
    from blockfold.application.checks import Checker

    return Checker(dumper(adapters, passed), adapters.checks)


def importer(adapters: Adapters) -> Importer:
    """What brings states from outside into a stack."""
    from blockfold.application.import_state import Importer

    return Importer(adapters.log, adapters.snapshots, adapters.archive)


def pruner(adapters: Adapters) -> Pruner:
    """The pruner of a stack, on the Blocks table by itself."""
    from blockfold.application.prune import Pruner

    return Pruner(
        log=adapters.log,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        archive=adapters.archive,
        objects=adapters.objects,
        clock=adapters.clock,
    )


def restorer(adapters: Adapters) -> Restorer:
    """The restorer of a stack."""
    from blockfold.application.restore import Restorer

    return Restorer(
        log=adapters.archived_log,
        table=adapters.table,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        clock=adapters.clock,
        archive=adapters.archive,
        schedule=Schedule.new(adapters.settings.count, adapters.settings.policy),
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
        schedule=Schedule.new(settings.count, settings.policy),
        guard=AlarmGuard(settings.action_seconds),
        archive=adapters.archive,
        confine=partial(_confined, settings.action_seconds),
    )


def _confined(seconds: float) -> AbstractContextManager[Runner]:
    from blockfold.adapters.confined.runner import confined

    return confined(seconds)


def rebuilder(adapters: Adapters, schedule: Schedule) -> Rebuilder:
    """What puts lost tables back.

    Args:
        adapters: The stack's ports.
        schedule: The dumper schedule of a machine whose settings were never kept.
    """
    from blockfold.application.rebuild import Rebuilder

    return Rebuilder(
        live=adapters.log,
        log=adapters.archived_log,
        archive=adapters.archive,
        table=adapters.table,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        objects=adapters.objects,
        eraser=adapters.eraser,
        clock=adapters.clock,
        schedule=schedule,
    )


def deleter(adapters: Adapters) -> Deleter:
    """What deletes machines."""
    from blockfold.application.delete import Deleter

    return Deleter(
        live=adapters.log,
        archive=adapters.archive,
        table=adapters.table,
        machines=adapters.machines,
        objects=adapters.objects,
        eraser=adapters.eraser,
        clock=adapters.clock,
    )


def redriver(adapters: Adapters, letters: DeadLetters) -> Redriver:
    """What brings dead letters back.

    Args:
        adapters: The stack's ports.
        letters: Its dead-letter queue, which no function is told of.
    """
    from blockfold.application.redrive import Redriver

    return Redriver(
        letters=letters,
        log=adapters.archived_log,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        archive=adapters.archive,
        clock=adapters.clock,
    )


def drill(adapters: Adapters) -> Drill:
    """What rehearses rebuilds."""
    from blockfold.adapters.bucket_log import bucket_log
    from blockfold.application.drill import Drill

    return Drill(
        live=adapters.log,
        bucket_log=lambda head: bucket_log(head, adapters.archive),
        archive=adapters.archive,
        table=adapters.table,
        machines=adapters.machines,
        snapshots=adapters.snapshots,
        objects=adapters.objects,
        eraser=adapters.eraser,
        clock=adapters.clock,
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
