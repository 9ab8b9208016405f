"""The history of httpx: 4,560 file changes in 1,412 commits, as `make run` pushes them.

Here a message has one change, or a hundred, whatever commit they are of.
"""

from __future__ import annotations

from typing import cast

from bench.workload import Step, Workload
from examples.httpx.history import commits


def workload() -> Workload:
    """The actions."""
    steps: list[Step] = []
    for commit in commits():
        for action in commit.actions:
            args = cast("dict[str, object]", action["args"])
            others = {name: value for name, value in args.items() if name != "path"}
            steps.append(Step(str(args["path"]), str(action["type"]), others))
    return Workload("httpx history", "machines.repository:Repository", "path", "", tuple(steps))
