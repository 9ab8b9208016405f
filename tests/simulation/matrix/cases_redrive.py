"""Redriving dead letters."""

from __future__ import annotations

from blockfold.adapters.dead_letters import SqsDeadLetters
from blockfold.application.redrive import HELD_SECONDS, Redriver
from blockfold.bootstrap import Adapters, actions_queue, redriver
from tests.simulation.matrix.case import Case, again, by_itself, execute, put, send
from tests.simulation.matrix.operators import command, resting
from tests.simulation.matrix.stage import Stage, Stopped
from tests.simulation.services import Call
from tests.simulation.story import Violation
from tests.simulation.world import SECOND

STANDING = ["done", "partly done", "partly done", "not begun", "not begun"]
LETTERS = {"m": STANDING, "new": ["not begun"]}


def _of(stage: Stage, adapters: Adapters) -> Redriver:
    dead, queue = stage.cloud.dead_letters.url, actions_queue(adapters)
    return redriver(adapters, SqsDeadLetters(adapters.clients.sqs, dead, queue, wait=0))


def _redrive(stage: Stage) -> None:
    stage.ran("operator", lambda task: _of(stage, task.environment.adapters).carry_out())


def _plan(stage: Stage) -> None:
    def plan(adapters: Adapters) -> None:
        found = _of(stage, adapters).plan()
        for machine, standing in LETTERS.items():
            assert [each.standing for each in found if each.machine == machine] == standing

    stage.ran("operator", lambda task: plan(task.environment.adapters))


def _redrive_again(stage: Stage) -> None:
    """Whoever died had received some letters, which come again."""
    stage.clock.milliseconds += (HELD_SECONDS + 1) * SECOND
    again(_redrive)(stage)


def _given_up(stage: Stage) -> None:
    """Letters of all kinds: raw, of a producer, split over blocks, of a machine without blocks."""
    resting(stage)
    send(stage, "m", put("a", 1), put("a", 2))
    _executor_dies(stage)
    _bury(stage, "m")
    send(stage, "m", put("b", 1), put("b", 2), put("b", 3), put("b", 4))
    _executor_dies(stage)
    _bury(stage, "m")
    send(stage, "m", put("c", 1), put("c", 2), put("c", 3), put("c", 4), by=("p", 9))
    _executor_dies(stage)
    _bury(stage, "m")
    send(stage, "m", put("d", 1), put("d", 2))
    _bury(stage, "m")
    send(stage, "m", put("e", 1), put("e", 2), by=("p", 10))
    _bury(stage, "m")
    send(stage, "new", put("f", 1))
    _bury(stage, "new")
    send(stage, "m", put("last", "later"))


def _executor_dies(stage: Stage) -> None:
    """Right after its first commit, of two actions."""
    stage.strike = _commits
    try:
        execute(stage)
    except Stopped:
        stage.clock.milliseconds += 7 * 60 * SECOND
    stage.strike = None


def _commits(call: Call) -> bool:
    return call.operation == "PutItem" and call.params["TableName"] == "Blocks"


def _bury(stage: Stage, machine: str) -> None:
    """The oldest message of a machine is given up; what is left of it is not lost for ever."""
    queue, life = stage.cloud.actions, stage.truth.life(machine)
    message = next(each for each in queue.messages if each.group == machine)
    if life.action and life.accepted[life.message].id == message.id:
        half = life.accepted[life.message]
        del half.actions[life.action :]
        half.name = None  # its last action alone has it
        life.message, life.action = life.message + 1, 0
    else:
        assert stage.truth.lose(machine, message.id)
    queue.bury(message)
    queue.accepted.remove(message)


def _nothing_left(stage: Stage) -> None:
    if left := len(stage.cloud.dead_letters):
        raise Violation("redrive", f"{left} dead letters are left")
    state = stage.truth.life("m").state
    if {key: state[key] for key in "abcde"} != {"a": 2, "b": 4, "c": 4, "d": 2, "e": 2}:
        raise Violation("redrive", f"the state is {state}")


def _all_left(stage: Stage) -> None:
    dead = stage.cloud.dead_letters
    if len(dead) != sum(map(len, LETTERS.values())):
        raise Violation("redrive", f"{len(dead)} dead letters are left")


CASES = [
    Case(
        "redrive: dry run",
        _plan,
        {"the messages come again by themselves": by_itself},
        _given_up,
        plan={"block": 2},
        check=_all_left,
    ),
    command(
        "redrive",
        _redrive,
        _given_up,
        _redrive_again,
        plan={"block": 2},
        check=_nothing_left,
    ),
]
