"""One soak from its first step to its last: bring up, disturb, calm down, hold against each other.

Processes are real, so a seed repeats the chances that are drawn, not the order in which things
happen. What it finds it leaves in its folder: the ledger with the story, the emulator's log, and
the data.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.domain.canonical import decode
from blockfold.domain.errors import BlockfoldError
from blockfold.local.errors import LocalStackError
from tests.soak.actors import Actor, Producer, Source, count_folds
from tests.soak.check import Book, Check
from tests.soak.havoc import Havoc
from tests.soak.ledger import Ledger
from tests.soak.operators import Operator
from tests.soak.plan import Plan, Result
from tests.soak.proxy import NO_FAULTS, Fault, FaultProxy
from tests.soak.world import World

MACHINE = "tests.machines_for_tests:Cells"
COUNT = 7
RATES = {"dynamodb": 0.05, "sqs": 0.08, "s3": 0.05, "events": 0.15, "lambda": 0.08}
"""Share of each service's requests that meet a fault."""

ODD = "m/../%~.'+="
"""A machine whose id holds what means something to paths and URLs."""

DRAIN_SECONDS = 600.0
JOIN_SECONDS = 300.0
LONGER_SECONDS = 120.0
"""A soak that lacks a kind of fault when its time is over goes on until it has it, or so long."""


def soak(plan: Plan, folder: Path, report: Callable[[str], None] = lambda _: None) -> Result:
    """Soak a stack of its own in `folder`, which must be empty; everything is ended at return."""
    ledger = Ledger.at(folder)
    ledger.machines += [f"m{number}" for number in range(plan.machines - 1)]
    ledger.machines.append(ODD)
    home = folder / "stack"
    home.mkdir()
    world = World.up(
        home,
        machine=MACHINE,
        count=COUNT,
        proxy=lambda port: FaultProxy(port, seed=plan.seed, rates=NO_FAULTS, tell=ledger.tell),
        report=report,
    )
    try:
        return _run(plan, world, ledger, report)
    finally:
        world.down()
        ledger.file.close()


def run(plan: Plan, *, keep: bool = False, report: Callable[[str], None] = print) -> Result:
    """A soak in a scratch folder, which stays if something was found or is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="blockfold-soak-"))
    clean = False
    try:
        result = soak(plan, folder, report)
        clean = not result.violations
        return result
    finally:
        if clean and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            report(f"evidence: {folder}")


def _run(plan: Plan, world: World, ledger: Ledger, report: Callable[[str], None]) -> Result:
    producers = [
        Producer(world, ledger, f"{plan.seed}.{each}", pause=plan.pause, backlog=plan.backlog)
        for each in range(plan.producers)
    ]
    sources = [Source(world, ledger, f"{plan.seed}.{each}") for each in range(plan.sources)]
    users: list[Actor] = [
        *producers,
        *(Operator(world, ledger, f"{plan.seed}.{each}") for each in range(plan.operators)),
    ]
    havoc = Havoc(
        world,
        ledger,
        f"{plan.seed}",
        pause=plan.kill_seconds,
        frozen_seconds=plan.freeze_seconds,
        first_restart=min(plan.restart_seconds, plan.seconds * 0.4),
        restart_seconds=plan.restart_seconds,
    )
    report(f"soaking for {plan.seconds:.0f} s, seed {plan.seed}")
    begin = time.monotonic()
    world.proxy.set_rates(RATES)
    everyone = [*users, *sources, havoc]
    for actor in everyone:
        actor.start()
    _wait(plan, world, ledger, begin, report)
    havoc.stop()
    havoc.join(JOIN_SECONDS)
    seconds = time.monotonic() - begin
    world.proxy.set_rates(NO_FAULTS)
    world.thaw_all()
    report("calm: the queue drains")
    for user in users:
        user.stop()
    for user in users:
        user.join(JOIN_SECONDS)
    if not world.proxy.settle():
        ledger.violate("late requests did not come to their end")
    # Whatever a machine went through, it takes one action more; also one that a fork left behind
    # whose answer nobody got.
    for machine in sorted({*ledger.machines, *_machines(world)}):
        producers[0].send(machine, 1)
    world.drain(ledger, DRAIN_SECONDS)
    for source in sources:
        source.stop()
    for source in sources:
        source.join(JOIN_SECONDS)
    report("holding what is stored against what was acknowledged")
    return _held(plan, world, ledger, seconds)


def _wait(
    plan: Plan, world: World, ledger: Ledger, begin: float, report: Callable[[str], None]
) -> None:
    """Until the time is over and each kind of fault has happened."""
    pause = Event()
    told = begin
    while (now := time.monotonic()) < begin + plan.seconds + LONGER_SECONDS:
        if now >= begin + plan.seconds and not _lacking(world, ledger):
            return
        if now >= told + 60:
            told = now
            report(
                f"  {now - begin:.0f} s: {len(ledger.sent):,} messages, "
                f"{sum(world.proxy.faults.values()):,} faults, "
                f"{ledger.counts['processes killed']} kills"
            )
        with suppress(BotoCoreError, ClientError):  # it may be restarting
            ledger.backlog = world.waiting("ActionsQueueUrl")
        pause.wait(0.2)


def _lacking(world: World, ledger: Ledger) -> set[str]:
    """What has not happened yet."""
    counts = {"processes killed", "processes frozen", "restarts of the emulator"}
    return {
        *(fault for fault in Fault if fault not in {kind for _, kind in world.proxy.faults}),
        *(name for name in counts if not ledger.counts[name]),
    }


def _held(plan: Plan, world: World, ledger: Ledger, seconds: float) -> Result:
    result = Result(plan, seconds)
    violations = ledger.violations
    violations += _settle(world, ledger)
    books = {machine: _book(world, machine) for machine in _machines(world)}
    violations += Check(books, ledger, COUNT).run()
    for machine in books:
        try:
            found = world.stack.verifier.verify(machine)
        except BlockfoldError as error:
            violations.append(f"verify of {machine}: {error}")
        else:
            violations += [f"verify of {machine}: {each}" for each in found.findings]
    if dead := world.waiting("DeadLetterQueueUrl"):
        violations.append(f"{dead} messages in the dead-letter queue")
    ledger.count("notes in the failure queue", world.waiting("FailureQueueUrl"))
    log = world.log.read_text(errors="replace")
    count_folds(ledger, log)
    if defects := log.count('"fold failed"'):
        violations.append(f"{defects} defects in the executor: see {world.log}")
    result.actions = sum(len(each.actions) for each in ledger.sent)
    result.messages = len(ledger.sent)
    result.blocks = sum(len(book.blocks) for book in books.values())
    result.machines = len(books)
    result.snapshots = sum(len(book.snapshots) for book in books.values())
    result.requests = dict(world.proxy.requests)
    for (_, fault), count in world.proxy.faults.items():
        result.faults[fault] = result.faults.get(fault, 0) + count
    result.counts = dict(ledger.counts)
    result.violations = violations
    return result


def _settle(world: World, ledger: Ledger) -> Iterable[str]:
    """What the schedules do within the hour, now: due snapshots and the archive are made good."""
    for _ in range(3):
        try:
            world.stack.call("DumperFunctionName", {"sweep": True})
            for machine in _machines(world):
                done = world.stack.call(
                    "DumperFunctionName", {"machine": machine, "command": "archive"}
                )
                ledger.count("blocks healed in the archive", done["healed"])
        except (BlockfoldError, LocalStackError) as error:
            last = error
        else:
            return []
        time.sleep(1)
    return [f"the sweep without faults: {last}"]


def _machines(world: World) -> list[str]:
    return [record.machine for record, _ in world.stack.reader.list_machines()]


def _book(world: World, machine: str) -> Book:
    adapters = world.stack.adapters
    return Book(
        machine=machine,
        record=adapters.machines.get(machine),
        blocks=[*world.stack.reader.blocks(machine)],
        rows={
            row.key: decode(row.value)
            for row in adapters.table.scan(machine)
            if row.value is not None
        },
        snapshots=[*adapters.snapshots.numbers(machine)],
    )
