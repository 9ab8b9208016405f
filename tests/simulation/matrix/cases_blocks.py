"""Executor, announcer, archiver."""

from __future__ import annotations

from tests.simulation.matrix.case import (
    Case,
    announce,
    archive,
    block,
    by_itself,
    calls,
    drop,
    end,
    execute,
    grow,
    names,
    put,
    rest,
    send,
)
from tests.simulation.matrix.stage import Stage, Stopped
from tests.simulation.services import Call

QUEUE = {"the queue delivers the messages again": by_itself}
STREAM = {"the stream delivers the records again": by_itself}


def _first(stage: Stage) -> None:
    send(stage, "m", put("a", 1))


def _some(stage: Stage) -> None:
    block(stage, "m", put("a", 1), put("b", [1]), put("c/1", None))


def _batch(stage: Stage) -> None:
    _some(stage)
    send(stage, "m", put("a", 2), drop("b"), end("reject"))
    send(stage, "m", "no action")
    send(stage, "m", names("keys", ""), end("crash"), put("d", {"n": 1.0}))


def _packed(stage: Stage) -> None:
    _some(stage)
    send(stage, "m", *[put(f"k{number}", number) for number in range(5)])
    send(stage, "m", drop("k1"))


def _two(stage: Stage) -> None:
    _some(stage)
    send(stage, "m", put("a", 2))
    send(stage, "n", put("b", 2))
    send(stage, "m", drop("c/1"))


def _conflict(stage: Stage) -> None:
    """One executor is warm, and another one goes on."""
    _some(stage)
    stage.prefer = "new"
    block(stage, "m", put("a", 2), drop("b"))
    send(stage, "m", names("keys", ""))
    stage.prefer = "idle longest"


def _repeated(stage: Stage) -> None:
    """Producers: one whose message comes again beside others, and one that skips a count."""
    block(stage, "m", put("a", 1), by=("p", 1))
    send(stage, "m", put("a", 1), by=("p", 1))
    send(stage, "m", put("b", 1), put("b", 2), put("b", 3), by=("p", 3))
    send(stage, "m", put("b", 1), put("b", 2), put("b", 3), by=("p", 3))
    send(stage, "m", put("c", 1), by=("q", 1))


def unflushed(stage: Stage) -> None:
    """An executor died right after its commit."""
    _some(stage)
    send(stage, "m", put("a", 2), drop("b"))
    send(stage, "m", put("d", 3))
    stage.strike = _commits
    try:
        execute(stage)
    except Stopped:
        stage.clock.milliseconds += 7 * 60_000
    stage.strike = None


def _commits(call: Call) -> bool:
    return call.operation == "PutItem" and call.params["TableName"] == "Blocks"


def _restoring(stage: Stage) -> None:
    """A restore was begun, and the table does not hold it yet."""
    grow(stage, "m", 4)
    stage.truth.asked.append(("m", 1, 1))
    stage.notes["large"] = True
    calls("restorer", {"machine": "m", "block": 1, "begin_large": True})(stage)
    send(stage, "m", names("keys", ""))


def _grown(stage: Stage) -> None:
    grow(stage, "m", 2)
    grow(stage, "n", 1)


def _fresh(stage: Stage) -> None:
    grow(stage, "m", 1)
    rest(stage)
    calls("dumper", {"machine": "m", "command": "set_policy", "quiet": 60})(stage)
    stage.truth.free.add("m")
    grow(stage, "m", 2)


CASES = [
    Case("execute: a machine's first message", execute, QUEUE, _first),
    Case("execute: another message, warm", execute, QUEUE, warm=_two),
    Case("execute: packed, rejected, failed, malformed", execute, QUEUE, _batch),
    Case("execute: a message of three blocks", execute, QUEUE, _packed, plan={"block": 2}),
    Case("execute: bodies in S3", execute, QUEUE, _batch, plan={"inline": 1}),
    Case("execute: two machines in one batch", execute, QUEUE, _two),
    Case("execute: another executor was first", execute, QUEUE, warm=_conflict),
    Case("execute: producers' messages come again", execute, QUEUE, _repeated, plan={"block": 2}),
    Case("execute: behind an unfinished flush", execute, QUEUE, unflushed),
    Case(
        "execute: a flush before each block", execute, QUEUE, _packed, plan={"block": 2, "tail": 0}
    ),
    Case("execute: behind a restore", execute, QUEUE, _restoring),
    Case("announce: two machines", announce, STREAM, _grown),
    Case("announce: a machine with a policy", announce, STREAM, _fresh),
    Case("announce: bodies in S3", announce, STREAM, _grown, plan={"inline": 1}),
    Case("archive: two machines", archive, STREAM, _grown),
    Case("archive: bodies in S3", archive, STREAM, _grown, plan={"inline": 1}),
]
