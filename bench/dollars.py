"""From counted requests to dollars per million actions: DynamoDB alone, and the whole path.

The whole path of ours is what was counted here of the executor's requests to DynamoDB, and for all
else the project's own estimate (`blockfold.application.cost`), without what does not grow with the
actions, what is stored, and CloudWatch. A peer has no path of its own, so
it is given the same one: a FIFO queue, a function that handles ten messages an invocation, an event
on a bus for each event that it stores. It has no archive.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from bench import forest, httpx, leaderboard
from blockfold.application.cost import Shape, Timing, Workload, estimate
from blockfold.application.cost.settings import GIGABYTES
from blockfold.bootstrap import load_machine
from blockfold.domain import prices
from blockfold.domain.units import sqs_requests
from blockfold.runtime.sample import sample

MILLION = 1e6
MONTH = 100 * MILLION
"""Actions a month: about 40 a second."""

BATCH = 10
"""Messages of an invocation."""

GROUP = 100
"""Events that castore's groups hold."""

LEFT_OUT = ("CloudWatch",)
COUNTED = ("log: writes", "state: writes", "register: writes", "executor: reads")
"""Lines of the estimate in whose place stands what was counted."""

WORKLOADS = {
    "leaderboard": leaderboard.workload,
    "forest": forest.workload,
    "httpx": httpx.workload,
}


def dynamodb(row: dict[str, Any]) -> float:
    """Dollars of a contender's write and read units, per million actions."""
    counts = row["counts"]
    dollars = counts["wru"] * prices.WRU + counts["rru"] * prices.RRU
    return float(dollars / row["actions"] * MILLION)


@cache
def estimated(workload: str, packed: int, batch: int) -> dict[str, float]:
    """Dollars per million actions by service, but for the executor's requests to DynamoDB."""
    made = WORKLOADS[workload]()
    shape = Shape(actions=MONTH, per_message=packed, per_invocation=batch)
    actions = (json.dumps(each) for each in made.actions())
    counts = sample(load_machine(made.machine)(), actions, shape)
    bill = estimate(Workload(shape=shape, counts=counts))
    found: dict[str, float] = {}
    for line in bill.lines:
        known = line.service in LEFT_OUT or line.what in COUNTED
        if not line.fixed and "stored" not in line.what and not known:
            dollars = line.dollars / bill.actions * MILLION
            found[line.service] = found.get(line.service, 0.0) + dollars
    return found


def theirs(workload: str, row: dict[str, Any], packed: int) -> dict[str, float]:
    """The same for a peer, on a path like ours.

    Args:
        workload: What it was given.
        row: Its results.
        packed: Actions of a message.
    """
    timing = Timing()
    actions = row["actions"]
    body = max(map(len, list(WORKLOADS[workload]().bodies(packed))[:BATCH]))
    requests = sum(row["counts"]["requests"].values()) / actions
    sent = sqs_requests(body) / packed
    received = sqs_requests(body * BATCH) / packed / BATCH
    deleted = invocations = 1 / packed / BATCH
    seconds = requests * (timing.call + timing.client) + invocations * timing.invoke
    published = timing.publish / BATCH  # PutEvents takes ten
    lambda_ = invocations * prices.LAMBDA_REQUEST
    lambda_ += (seconds + published) * GIGABYTES * prices.LAMBDA_GB_SECOND
    return {
        "SQS": (sent + received + deleted) * prices.SQS_REQUEST * MILLION,
        "Lambda": lambda_ * MILLION,
        "DynamoDB": dynamodb(row),
        "EventBridge": prices.EVENT * MILLION,
    }


def whole(workload: str, row: dict[str, Any]) -> dict[str, float]:
    """Dollars per million actions by service, of any contender."""
    if row["kind"] == "ours":
        others = estimated(workload, row["packed"], row["batch"])
        return {**others, "DynamoDB": dynamodb(row) + others.get("DynamoDB", 0.0)}
    return theirs(workload, row, GROUP if "group" in row["title"] else 1)
