"""What may happen next: deliveries, calls by people, producers, readers, and time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from blockfold.bootstrap import reader
from blockfold.domain.errors import BlockfoldError, Corrupted
from tests.simulation.environments import handle
from tests.simulation.producers import lose, produce, redrive
from tests.simulation.services import Batch, StreamBatch
from tests.simulation.tasks import Task
from tests.simulation.world import BEGIN, DAY, HOUR, MINUTE, SECOND, World

KEYS = ("a", "a/b", "a/c", "ab", "b", "é")
VALUES: tuple[Any, ...] = (None, True, 0, 1.0, 2.5, "", "x", [], [1], {}, {"n": 1}, "long" * 30)
SENDER = "AROATEST:tester"
RETENTIONS: tuple[dict[str, Any], ...] = (
    {"snapshots": 1},
    {"snapshots": 2},
    {"snapshots": 1, "thin": ["1h/2d"]},
    {"snapshots": None, "thin": None},
    {"blocks": 1},
    {"blocks": 1, "snapshots": 1},
    {"blocks": 3, "days": 1},
    {"blocks": None, "days": None},
    {"days": 1},
)
FORKS = 2
LAST = 12 * DAY
"""No run takes longer: SQS keeps messages for 14 days."""
NO_JSON = ("no json", "[]", "7")


# -- producers -------------------------------------------------------------------------------


def send(world: World) -> None:
    """A producer sends a message, or one that it sent before again."""
    if world.totals["sent"] < world.plan.sends:
        _send(world)


def send_more(world: World) -> None:
    """Producers send a little more than was planned."""
    for _ in range(world.random.choice((1, 2, 3))):
        _send(world)


def _send(world: World, machine: str = "") -> None:
    random, sent = world.random, world.sent
    if sent and random.random() < 0.15 and (world.plan.late or world.is_fresh(sent[-1])):
        machine, body, name, _ = random.choice(sent) if world.plan.late else sent[-1]
        world.totals["sent again"] += 1
    else:
        machine = machine or random.choice(world.names)
        body, name = body_of(world), f"{random.getrandbits(64):016x}"
    world.totals["sent"] += 1
    answer = world.outside.sqs.send_message(
        QueueUrl=world.settings.actions_queue,
        MessageBody=body,
        MessageGroupId=machine,
        MessageDeduplicationId=name,
    )
    sent.append((machine, body, name, world.clock.now()))
    world.tell("producer", f"sends {name[:4]} to {machine}: {body}", answer["SequenceNumber"][-6:])
    world.truth.accept(machine, answer["MessageId"], answer["SequenceNumber"], body)


def body_of(world: World) -> str:
    """What a message asks for: some actions, now and then none at all."""
    random = world.random
    if random.random() < 0.06:
        return random.choice(NO_JSON)
    actions = [_action(world) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return json.dumps(actions if len(actions) > 1 else actions[0])


def _action(world: World) -> dict[str, Any]:
    random = world.random
    args: dict[str, Any] = {"steps": [_step(world) for _ in range(random.choice((1, 2, 3)))]}
    if random.random() < 0.12:
        args["end"] = random.choice(("reject", "crash"))
    return {"type": "run", "args": args}


def _step(world: World) -> dict[str, Any]:
    random = world.random
    key, kind = random.choice(KEYS[: world.plan.keys]), random.random()
    if kind < 0.3:
        return {"do": "delete", "key": key}
    if kind < 0.5:
        return {"do": "push", "key": key, "value": random.choice(VALUES)}
    if kind < 0.6:
        return {"do": "list", "key": key, "value": random.choice(("", "a", "a/", "é"))}
    return {"do": "set", "key": key, "value": random.choice(VALUES)}


# -- deliveries ------------------------------------------------------------------------------


def execute(world: World) -> Task | None:
    """The queue hands messages to an executor."""
    batch = world.cloud.actions.receive(10)
    if batch is None:
        return None
    event = batch.event
    again = [
        each for each in event["Records"] if int(each["attributes"]["ApproximateReceiveCount"]) > 1
    ]
    world.totals["redeliveries"] += len(again)
    task = world.invoke("executor", event, lambda task: _acknowledge(world, batch, event, task))
    told = [
        f"{each['attributes']['MessageGroupId']}:{each['attributes']['SequenceNumber'][-6:]}"
        for each in event["Records"]
    ]
    world.tell(task.name, "gets", told)
    return task


def _acknowledge(world: World, batch: Batch, event: dict[str, Any], task: Task) -> None:
    """The event source deletes what the executor did, if it did."""
    if task.killed or task.error is not None:
        judge(world, task)
        batch.settle(None)
        return
    failed = {each["itemIdentifier"] for each in task.answer["batchItemFailures"]}
    for record in event["Records"]:
        machine = record["attributes"]["MessageGroupId"]
        if record["messageId"] in failed:
            continue
        if not world.truth.life(machine).settled(record["messageId"]):
            world.fail(
                "law 1, nothing is lost",
                f"{record['messageId']} of {machine} is acknowledged, and in no block",
            )
    if world.chance("settle lost"):
        world.tell(task.name, "the queue does not hear of it")
        return
    batch.settle(task.answer)


def announce(world: World) -> Task | None:
    """The stream hands records to an announcer."""
    return _stream(world, "announcer", world.random.choice((1, 3, 100)))


def archive(world: World) -> Task | None:
    """The stream hands records to an archiver."""
    return _stream(world, "archiver", world.random.choice((1, 4, 1000)))


def _stream(world: World, name: str, most: int) -> Task | None:
    batch = world.cloud.stream().take(name, most)
    if batch is None:
        return None
    if world.chance("stream lost"):
        world.totals["records lost"] += 1
        world.tell(name, "never gets a batch of the stream")
        batch.discard()
        return None
    task = world.invoke(name, batch.event, lambda task: _checkpoint(world, batch, task))
    world.tell(task.name, "gets", f"{len(batch.records)} records")
    return task


def _checkpoint(world: World, batch: StreamBatch, task: Task) -> None:
    judge(world, task)
    if task.killed or task.error is not None:
        batch.settle(None)
    elif world.chance("stream twice"):
        world.totals["records repeated"] += 1
        batch.settle(None)
    else:
        batch.settle(task.answer)


def event(world: World) -> Task | None:
    """The bus hands an event to a dumper."""
    delivery = world.cloud.bus.take()
    if delivery is None:
        return None
    if world.chance("event lost"):
        world.totals["events lost"] += 1
        world.tell("bus", "loses an event", delivery.event["detail"])
        delivery.discard()
        return None

    def done(task: Task) -> None:
        judge(world, task)
        again = task.killed or task.error is not None or world.chance("event twice")
        delivery.settle(None if again else task.answer)

    task = world.invoke("dumper", delivery.event, done)
    detail = delivery.event["detail"]
    world.tell(task.name, f"hears of block {detail['number']} of {detail['machine']}")
    return task


def check(world: World) -> Task | None:
    """The queue of checks hands some to a dumper."""
    batch = world.cloud.checks_queue.receive(10)
    if batch is None:
        return None

    def done(task: Task) -> None:
        judge(world, task)
        batch.settle(None if task.killed or task.error is not None else task.answer)

    task = world.invoke("dumper", batch.event, done)
    world.tell(task.name, "looks at checks", [each["body"] for each in batch.event["Records"]])
    return task


def judge(world: World, task: Task) -> None:
    """An invocation may end in an error that says what to do, but for damage and defects."""
    error = task.error
    if error is None or task.killed:
        return
    if isinstance(error, Corrupted):
        world.fail("law 8, crash anywhere", f"{task.name} finds damage: {error}")
    elif not isinstance(error, BlockfoldError):
        world.fail("no defects", f"{task.name} ends with {error!r}")
    else:
        world.totals["refusals"] += 1


# -- people ----------------------------------------------------------------------------------


def _machine(world: World) -> str | None:
    lives = [name for name, life in world.truth.lives.items() if life.head]
    return world.random.choice(lives) if lives else None


def _call(world: World, function: str, payload: dict[str, Any]) -> Task:
    task = world.invoke(function, payload, lambda task: judge(world, task))
    world.tell(task.name, f"is called with {json.dumps(payload)}")
    return task


def settings(world: World) -> Task | None:
    """Somebody changes the dumper's settings."""
    if (machine := _machine(world)) is None:
        return None
    command = world.random.choice(("start", "stop", "set_count", "set_count", "set_count"))
    payload: dict[str, Any] = {"machine": machine, "command": command}
    if command == "set_count":
        payload["count"] = world.random.choice((1, 2, 3, 4, 2, 3, None, 0, -1, "x"))
    return _call(world, "dumper", payload)


def policy(world: World) -> Task | None:
    """Somebody promises how fresh the newest snapshot is kept."""
    if (machine := _machine(world)) is None:
        return None
    world.truth.free.add(machine)
    field, value = world.random.choice((("quiet", 60), ("minutes", 5), ("bytes", 300)))
    value = value if world.random.random() < 0.8 else None
    return _call(world, "dumper", {"machine": machine, "command": "set_policy", field: value})


def dump(world: World) -> Task | None:
    """Somebody wants a snapshot."""
    if (machine := _machine(world)) is None:
        return None
    payload: dict[str, Any] = {"machine": machine, "command": "dump"}
    head = world.truth.life(machine).head
    if world.random.random() < 0.5:
        world.truth.asked.append((machine, head, 10**9))
    else:
        payload["at"] = world.random.randint(1, head)
        world.truth.asked.append((machine, payload["at"], payload["at"]))
    return _call(world, "dumper", payload)


def restore(world: World) -> Task | None:
    """Somebody brings an old block back."""
    if (machine := _machine(world)) is None:
        return None
    number = world.random.randint(1, world.truth.life(machine).head)
    world.truth.asked.append((machine, number, number))
    return _call(world, "restorer", {"machine": machine, "block": number})


def fork(world: World) -> Task | None:
    """Somebody starts a machine from an old block of another."""
    if (machine := _machine(world)) is None:
        return None
    number = world.random.randint(1, world.truth.life(machine).head)
    world.truth.asked.append((machine, number, number))
    name = f"fork{world.random.randrange(FORKS)}"
    if name not in world.names and world.random.random() < 0.7:
        world.names.append(name)
    return _call(world, "restorer", {"machine": machine, "block": number, "as": name})


def resume(world: World) -> Task | None:
    """Somebody goes on with a restore, as the command line does or as the workflow does."""
    if (machine := _machine(world)) is None:
        return None
    if world.random.random() < 0.5:
        return _call(world, "restorer", {"machine": machine, "resume": True})

    def workflow(task: Task) -> Any:
        split = handle("restorer", {"machine": machine, "step": "split"})(task)
        for piece in split["ranges"]:
            handle("restorer", piece)(task)
        return handle("restorer", {"machine": machine, "step": "finish"})(task)

    task = world.spawn("restorer", workflow, HOUR, lambda task: judge(world, task))
    world.tell(task.name, f"workflow for {machine}")
    return task


def sweep(world: World) -> Task:
    """The hourly schedule calls the dumper."""
    return _call(world, "dumper", {"sweep": True})


def certify(world: World) -> Task | None:
    """Somebody brings the archive up to the head."""
    if (machine := _machine(world)) is None:
        return None
    return _call(world, "dumper", {"machine": machine, "command": "archive"})


def retention(world: World) -> Task | None:
    """Somebody changes what is kept."""
    if (machine := _machine(world)) is None:
        return None
    kept: dict[str, Any] = world.random.choice(RETENTIONS)
    payload = {"machine": machine, "command": "set_retention", **kept}
    return _call(world, "pruner", payload)


def prune(world: World) -> Task | None:
    """The daily schedule or somebody calls the pruner."""
    if world.random.random() < 0.4:
        return _call(world, "pruner", {"sweep": True})
    if (machine := _machine(world)) is None:
        return None
    return _call(world, "pruner", {"machine": machine, "command": "prune"})


# -- readers ---------------------------------------------------------------------------------


def read(world: World) -> Task | None:
    """Somebody reads a state at the head."""
    if (machine := _machine(world)) is None:
        return None

    def work(task: Task) -> Any:
        view = reader(task.environment.adapters).state(machine)
        life = world.truth.life(machine)
        if not task.heads.get(machine, 0) <= view.number <= life.head:
            world.fail("readers", f"{machine} is read at {view.number} of {life.head}")
        elif view.entries != life.chain[view.number - 1].entries:
            world.fail("readers", f"another state than that of block {view.number} of {machine}")
        return f"block {view.number} of {machine}"

    world.totals["reads"] += 1
    return world.spawn("reader", work, 15 * MINUTE, lambda task: judge(world, task))


def read_past(world: World) -> Task | None:
    """Somebody reads a state of the past."""
    if (machine := _machine(world)) is None:
        return None
    number = world.random.randint(1, world.truth.life(machine).head)

    def work(task: Task) -> Any:
        view = reader(task.environment.adapters).state_at(machine, number)
        if view.entries != world.truth.life(machine).chain[number - 1].entries:
            world.fail("law 6, any block can be read", f"block {number} of {machine}")
        return f"block {number} of {machine}"

    world.totals["reads"] += 1
    return world.spawn("reader", work, 15 * MINUTE, lambda task: judge(world, task))


# -- time ------------------------------------------------------------------------------------


def age(world: World) -> None:
    """A machine goes on elsewhere; its past is archived, dumped and let go, and then is gone."""
    if (machine := _machine(world)) is None:
        return
    random = world.random
    faulty, world.faulty = world.faulty, random.random() < 0.3
    world.prefer = random.choice(("new", "used last"))
    for _ in range(random.choice((0, 3, 4))):
        _one_more(world, machine)
    world.prefer = ""
    world.truth.asked.append((machine, world.truth.life(machine).head, 10**9))
    for function, payload in (
        ("dumper", {"machine": machine, "command": "archive"}),
        ("dumper", {"machine": machine, "command": "dump"}),
        ("pruner", {"machine": machine, "command": "set_retention", "blocks": 1}),
        ("pruner", {"machine": machine, "command": "prune"}),
    ):
        world.finish(_call(world, function, payload))
    _pass(world, random.choice((25 * HOUR, 2 * DAY)))
    expire(world)
    if random.random() < 0.5:
        world.prefer = "idle longest"
        _one_more(world, machine)
        world.prefer = ""
    world.faulty = faulty


def _one_more(world: World, machine: str) -> None:
    """A message, and whoever gets it has the time to end."""
    _send(world, machine)
    if (task := execute(world)) is not None:
        world.finish(task)


def jump(world: World) -> None:
    """Seconds to minutes go by."""
    _pass(world, world.random.choice((SECOND, 20 * SECOND, 100 * SECOND, 5 * MINUTE, 7 * MINUTE)))


def leap(world: World) -> None:
    """Hours to days go by; mostly, whoever was at work had time to end."""
    if world.random.random() < 0.7:
        for task in list(world.ready):
            world.let(task)
            if not task.ended and not task.froze:
                world.finish(task)
    _pass(world, world.random.choice((HOUR, 9 * HOUR, 25 * HOUR, 25 * HOUR, 3 * DAY, 8 * DAY)))


def _pass(world: World, milliseconds: int) -> None:
    if world.clock.now() + milliseconds > BEGIN + LAST:
        return
    world.clock.milliseconds += milliseconds
    world.tell("", f"{milliseconds // SECOND} s go by")


def expire(world: World) -> None:
    """DynamoDB deletes what expired."""
    world.cloud.expire()


MOVES: dict[str, Callable[[World], Task | None]] = {
    "send": send,  # type: ignore[dict-item]
    "execute": execute,
    "announce": announce,
    "archive": archive,
    "event": event,
    "check": check,
    "settings": settings,
    "policy": policy,
    "dump": dump,
    "restore": restore,
    "resume": resume,
    "fork": fork,
    "sweep": sweep,
    "certify": certify,
    "retention": retention,
    "prune": prune,
    "read": read,
    "read past": read_past,
    "age": age,  # type: ignore[dict-item]
    "jump": jump,  # type: ignore[dict-item]
    "leap": leap,  # type: ignore[dict-item]
    "expire": expire,  # type: ignore[dict-item]
    "produce": produce,  # type: ignore[dict-item]
    "lose": lose,  # type: ignore[dict-item]
    "redrive": redrive,  # type: ignore[dict-item]
}
