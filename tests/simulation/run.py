"""A run from its plan: faults for a while, then rest, then the laws."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.simulation import moves
from tests.simulation.laws import check_laws
from tests.simulation.moves import MOVES
from tests.simulation.plan import Plan
from tests.simulation.producers import settle
from tests.simulation.story import Story, Violation
from tests.simulation.tasks import Task
from tests.simulation.world import MINUTE, World

MOST_STEPS = 20
"""Steps of processes for each move, at most."""

MOST_DELIVERIES = 12
"""Deliveries of one kind in a round: what fails comes again at once."""

ROUNDS = 40
"""Rounds in which everything must come to rest."""


@dataclass(frozen=True)
class Ran:
    """What came of a run.

    Attributes:
        plan: The plan.
        totals: What happened how often.
        story: All that happened.
        violation: The law that does not hold; None if all do.
    """

    plan: Plan
    totals: Counter[str]
    story: Story
    violation: Violation | None


def run(plan: Plan) -> Ran:
    """Carry out a plan; call it within `simulated`."""
    world = World(plan)
    try:
        _trouble(world)
        _rest(world)
        _looking(world)
    except Violation as violation:
        world.fail(violation.law, violation.what)
    finally:
        world.abandon()
    world.totals["runs"] += 1
    world.totals["violations"] += world.violation is not None
    return Ran(plan, world.totals, world.story, world.violation)


def _trouble(world: World) -> None:
    """Moves and steps, with faults."""
    plan = world.plan
    names, weights = [*plan.moves], [*plan.moves.values()]
    for turn in plan.taken:
        world.begin(f"turn {turn}")
        move = MOVES[world.random.choices(names, weights)[0]]
        for _ in range(MOST_STEPS):
            ready = world.ready
            if not ready or world.random.random() > plan.grain:
                break
            world.let(world.random.choice(ready))
        move(world)
        world.check()


def _rest(world: World) -> None:
    """No more faults: everything is delivered, swept and finished."""
    world.begin("rest")
    world.faulty = False
    world.cloud.stale = 0.0  # a sweep that reads too early is followed by another an hour later
    world.tell("", "no more faults")
    while world.plan.rest and world.totals["sent"] < world.plan.sends:
        moves.send(world)
    settle(world)
    for _ in range(ROUNDS):
        for task in list(world.ready):
            world.finish(task)
        busy = [_deliver(world) for _ in range(2)]
        if not world.tasks and not any(busy) and world.is_drained():
            break
        world.clock.milliseconds += 7 * MINUTE
        if not any(busy) and world.is_drained():  # the frozen ones come last
            _go_on(world)
            world.clock.milliseconds = max(
                world.clock.milliseconds, min(task.until for task in world.tasks)
            )
    else:
        raise Violation("law 8, crash anywhere", "it does not come to rest")
    _sweep(world)


def _go_on(world: World) -> None:
    """While some are frozen, machines go on: what those still do meets what came after."""
    moves.send_more(world)
    _deliver(world)


def _deliver(world: World) -> bool:
    """Deliver all that can be; whether there was anything."""
    some = False
    for move in (moves.execute, moves.announce, moves.archive, moves.event, moves.check):
        for _ in range(MOST_DELIVERIES):
            task = move(world)
            if task is None:
                break
            world.finish(task)
            some = True
    return some


def _sweep(world: World) -> None:
    """Finish restores, sweep, and bring archives up to the head."""
    for machine, life in list(world.truth.lives.items()):
        if life.head:
            _do(world, "restorer", {"machine": machine, "resume": True})
            _do(world, "dumper", {"machine": machine, "command": "archive"})
    _do(world, "dumper", {"sweep": True})
    _do(world, "pruner", {"sweep": True})
    world.check()


def _do(world: World, function: str, payload: dict[str, object]) -> Task:
    task = world.invoke(function, payload, lambda task: moves.judge(world, task))
    world.finish(task)
    return task


def _looking(world: World) -> None:
    world.cloud.page, world.cloud.stale = 1000, 0.0
    check_laws(world)
