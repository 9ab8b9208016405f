"""The forest: 10,000 actions on up to 5,000 trees, of the machine that ships (`machines.forest`).

Half of the actions plant, until 5,000 trees were planted; the others water a standing tree, or
now and then cut one. None is rejected, because not every peer has a place for that.
"""

from __future__ import annotations

from random import Random

from bench.workload import Step, Workload

ACTIONS = 10_000
TREES = 5_000
SEED = 8
CUT = 0.06
"""Share of the actions that fell a tree."""


def workload(actions: int = ACTIONS, trees: int = TREES, seed: int = SEED) -> Workload:
    """The actions."""
    random = Random(seed)  # noqa: S311 - the same workload each time
    standing: list[str] = []
    planted = 0
    steps: list[Step] = []
    for _ in range(actions):
        if not standing or (planted < trees and random.random() < trees / actions):
            name = f"tree-{planted:05}"
            planted += 1
            standing.append(name)
            steps.append(Step(name, "plant", {"species": random.choice(("oak", "pine"))}))
            continue
        at = random.randrange(len(standing))
        if random.random() < CUT:
            standing[at], standing[-1] = standing[-1], standing[at]
            steps.append(Step(standing.pop(), "cut", {}))
        else:
            steps.append(Step(standing[at], "water", {"litres": random.randrange(1, 50)}))
    return Workload("forest", "machines.forest:Forest", "tree", "tree/", tuple(steps))
