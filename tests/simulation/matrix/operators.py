"""How people run commands of the command line in the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blockfold.adapters.intake import LambdaIntake
from blockfold.bootstrap import (
    Adapters,
)
from tests.simulation.matrix.case import (
    Case,
    Do,
    again,
    block,
    grow,
    names,
    push,
    rest,
)
from tests.simulation.matrix.stage import Stage
from tests.simulation.tasks import Task

AGAIN = "the same command again"


def operator(do: Callable[[Adapters], Any]) -> Do:
    """Somebody runs a command."""

    def work(stage: Stage) -> None:
        stage.ran("operator", lambda task: do(task.environment.adapters))

    return work


def paused(do: Callable[[Adapters], Any]) -> Do:
    """The same while actions wait in the queue, as `blockfold.cli.steps.paused` does it."""

    def work(stage: Stage) -> None:
        def command(task: Task) -> Any:
            adapters = task.environment.adapters
            function = stage.cloud.executor.name
            intake = LambdaIntake(lambda: adapters.clients.lambda_, function, adapters.clock)
            try:
                intake.pause()
                return do(adapters)
            finally:
                intake.resume()

        stage.ran("operator", command)

    return work


def resting(stage: Stage) -> None:
    grow(stage, "m", 3)
    block(stage, "m", names("keys", "k"), push("keys", "more"))
    grow(stage, "n", 1)
    rest(stage)
    stage.cloud.actions.accepted.clear()  # all of them stand in blocks


def command(name: str, work: Do, setup: Do, recover: Do | None = None, **fields: Any) -> Case:
    return Case(name, work, {AGAIN: recover or again(work)}, setup, **fields)
