"""A use case: how its world begins, what is done, and who makes it good."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from blockfold.adapters.envelope import named
from tests.simulation import moves
from tests.simulation.matrix.stage import Stage, Stopped
from tests.simulation.services.dynamodb.table import Table
from tests.simulation.story import Violation
from tests.simulation.world import HOUR, MINUTE

Do = Callable[[Stage], None]

ROUNDS = 20
"""Rounds in which everything must have been delivered."""


@dataclass(frozen=True)
class Case:
    """One use case.

    Attributes:
        name: What the table calls it.
        work: What is done, and struck.
        setup: What was before; its services are saved, its processes are not.
        warm: What is done before it in each run, for processes that remember.
        plan: How its world is made.
        recover: Who makes it good, in the table's words → how. Everything is delivered and swept
            after that, anyway.
        learn: What the truth must be told, since nobody observed it.
        mend: What is done before the laws are held, when all is delivered.
        check: What must hold at the end, besides the laws.
        observed: Whether each call is held against the laws, and readers read in between.
        readable: Whether readers are asked in between: not where rows are lost from the beginning,
            which nothing tells them.
        same: Whether the same must come of it as if nothing had struck.
        reads: Whether nothing must be changed by it.
    """

    name: str
    work: Do
    recover: dict[str, Do]
    setup: Do = lambda stage: None
    warm: Do = lambda stage: None
    plan: dict[str, Any] = field(default_factory=dict)
    learn: Do = lambda stage: None
    mend: Do = lambda stage: None
    check: Do = lambda stage: None
    observed: bool = True
    readable: bool = True
    same: bool = True
    reads: bool = False


# -- what people and producers do ------------------------------------------------------------


def put(key: str, value: Any) -> dict[str, Any]:
    """An action that sets a key."""
    return _action([{"do": "set", "key": key, "value": value}])


def drop(key: str) -> dict[str, Any]:
    """An action that deletes a key."""
    return _action([{"do": "delete", "key": key}])


def names(key: str, prefix: str) -> dict[str, Any]:
    """An action that writes down which keys there are."""
    return _action([{"do": "list", "key": key, "value": prefix}])


def push(key: str, value: Any) -> dict[str, Any]:
    """An action that adds to a list."""
    return _action([{"do": "push", "key": key, "value": value}])


def end(how: str) -> dict[str, Any]:
    """An action that is rejected, or fails."""
    return {"type": "run", "args": {"steps": [], "end": how}}


def _action(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "run", "args": {"steps": steps}}


def send(
    stage: Stage, machine: str, *actions: dict[str, Any] | str, by: tuple[str, int] | None = None
) -> None:
    """Send one message with some actions, or with what is none.

    Args:
        stage: Where.
        machine: To whom.
        actions: What it asks for.
        by: The idempotent producer that sends it, and its count.
    """
    body = json.dumps(actions if len(actions) > 1 else actions[0])
    number = stage.notes["sent"] = stage.notes.get("sent", 0) + 1
    attributes = named(*by) if by is not None else {}
    stage.outside.sqs.send_message(
        QueueUrl=stage.settings.actions_queue,
        MessageBody=body,
        MessageGroupId=machine,
        MessageDeduplicationId=str(number),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
        },
    )
    stage.settle_truth()


def execute(stage: Stage) -> None:
    """The queue hands its messages to an executor.

    Raises:
        Stopped: It died, or ended in an error.
    """
    if not stage.cloud.executor.polled:
        return
    if stage.notes.get("generation", 0) != stage.cloud.executor.generation:
        stage.notes["generation"] = stage.cloud.executor.generation
        stage.environments.pop("executor", None)
    task = moves.execute(stage)
    if task is None:
        return
    stage.finish(task)
    if task.killed or task.error is not None:
        raise Stopped(task.error)


def block(
    stage: Stage, machine: str, *actions: dict[str, Any], by: tuple[str, int] | None = None
) -> None:
    """One more block of a machine."""
    send(stage, machine, *actions, by=by)
    execute(stage)


def grow(stage: Stage, machine: str, count: int) -> None:
    """Some more blocks of a machine, which set, overwrite and delete keys.

    The odd ones come from an idempotent producer, of which some messages never came.
    """
    for _ in range(count):
        number = stage.truth.life(machine).head + 1
        actions = [put(f"k{number}", number), put("last", number)]
        if number % 3 == 0:
            actions.append(drop(f"k{number - 2}"))
        block(stage, machine, *actions, by=("p", number) if number % 2 else None)


def announce(stage: Stage) -> None:
    """The stream hands its records to an announcer."""
    _stream(stage, "announcer")


def archive(stage: Stage) -> None:
    """The stream hands its records to an archiver."""
    _stream(stage, "archiver")


def _stream(stage: Stage, reader: str) -> None:
    batch = stage.cloud.stream().take(reader, 100)
    if batch is not None:
        stage.delivered(reader, batch.event, batch.settle)


def due(stage: Stage) -> None:
    """The bus hands an event to a dumper."""
    delivery = stage.cloud.bus.take()
    if delivery is not None:
        stage.delivered("dumper", delivery.event, delivery.settle)


def check(stage: Stage) -> None:
    """The queue of checks hands some to a dumper."""
    batch = stage.cloud.checks_queue.receive(10)
    if batch is not None:
        stage.delivered("dumper", batch.event, batch.settle)


def calls(function: str, payload: Any) -> Do:
    """Somebody calls a function."""

    def call(stage: Stage) -> None:
        stage.called(function, payload)

    return call


def empty(stage: Stage, *names: str) -> None:
    """Tables are lost, and deployed again."""
    cloud, settings = stage.cloud, stage.settings
    new = {
        settings.blocks_table: Table(
            settings.blocks_table,
            cloud,
            sort=("number", "N"),
            ttl="expires",
            stream=cloud.stream(),
        ),
        settings.state_table: Table(settings.state_table, cloud, sort=("key", "S"), ttl="expires"),
        settings.machines_table: Table(settings.machines_table, cloud),
    }
    for name in names or tuple(new):
        cloud.tables[name] = new[name]


# -- who makes it good -----------------------------------------------------------------------


def again(work: Do) -> Do:
    """The same is done again, until it does not fail; nothing strikes any more."""

    def recover(stage: Stage) -> None:
        try:
            work(stage)
        except Stopped as stopped:
            raise Violation("law 8, crash anywhere", f"again: {stopped}") from stopped

    return recover


def by_itself(_stage: Stage) -> None:
    """What is delivered again and swept anyway is enough."""


def next_action(stage: Stage) -> None:
    """Nobody does it again, but each machine goes on."""
    for machine, life in stage.truth.lives.items():
        if life.head:
            send(stage, machine, put("next", 1))


def rest(stage: Stage) -> None:
    """Everything is delivered, swept and archived.

    Raises:
        Violation: It does not come to rest.
    """
    for _ in range(ROUNDS):
        _deliver(stage)
        if _is_drained(stage):
            break
        stage.clock.milliseconds += 16 * MINUTE
    else:
        raise Violation("law 8, crash anywhere", "it does not come to rest")
    stage.clock.milliseconds += HOUR
    _final(stage, "dumper", {"sweep": True})
    for machine, life in stage.truth.lives.items():
        record = stage.observer.machines.get(machine)
        if record is not None and record.archived < life.head:
            _final(stage, "dumper", {"machine": machine, "command": "archive"})
    if any(record.retention.blocks for record in stage.observer.machines.list()):
        _final(stage, "pruner", {"sweep": True})
    stage.check()


def _final(stage: Stage, function: str, payload: dict[str, Any]) -> None:
    try:
        stage.called(function, payload)
    except Stopped as stopped:
        raise Violation("law 8, crash anywhere", f"{payload}: {stopped}") from stopped


def _deliver(stage: Stage) -> None:
    deliveries: Sequence[Do] = (execute, announce, archive, due, check)
    for deliver in deliveries:
        with suppress(Stopped):  # it comes again
            deliver(stage)


def _is_drained(stage: Stage) -> bool:
    stream = stage.cloud.stream()
    waits = len(stage.cloud.actions) if stage.cloud.executor.polled else 0
    return not (
        waits
        or stage.cloud.bus.pending()
        or len(stage.cloud.checks_queue)
        or any(map(stream.pending, ("announcer", "archiver")))
    )
