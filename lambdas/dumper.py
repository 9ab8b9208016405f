"""Dumper λ: due events, the sweep, and direct calls → snapshots.

Three kinds of input: a ``BlockExecuted`` event from the bus, ``{"sweep": true}`` from the
schedule, and ``{"machine", "command", "count"?, "at"?}`` from people. Errors of direct calls are
function errors whose message says the way out.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.application.dump import Dumper, Status
from blockfold.bootstrap import Adapters, dumper
from blockfold.domain.errors import Misconfigured
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

COMMANDS = ("start", "stop", "set_count", "dump", "status")
TAKES = {"set_count": "count", "dump": "at"}
"""The field that a command takes."""

MARGIN_SECONDS = 60.0
"""What is kept of the function's time for the snapshot that is being made."""

logger = Logger()
metrics = Metrics()


@cache
def _dumper() -> Dumper:
    return dumper(Adapters(Settings.from_environment()))


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Make what is due, sweep, or carry out a command."""
    if not isinstance(event, dict):
        raise Misconfigured(f"a call is a JSON object, not {event!r}")
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    if "detail-type" in event:
        return _due(event["detail"], deadline)
    if event.get("sweep") is True:
        return _sweep(deadline)
    return command(event, _dumper())


def command(event: dict[str, Any], dumper: Dumper) -> dict[str, Any]:
    """Carry out a direct call.

    Raises:
        Misconfigured: The payload is no call.
        NotFound: There is no such machine or block.
    """
    machine, name = event.get("machine"), event.get("command")
    if not isinstance(machine, str) or not machine:
        raise Misconfigured("the field 'machine' is a machine's id, and must be given")
    if name not in COMMANDS:
        raise Misconfigured(f"unknown command {name!r}", hint=f"one of {', '.join(COMMANDS)}")
    if unknown := event.keys() - {"machine", "command", *TAKES.values()}:
        raise Misconfigured(f"unknown field {min(unknown)!r}")
    for taker, field in TAKES.items():
        if name != taker and event.get(field) is not None:
            raise Misconfigured(
                f"the field {field!r} belongs to {taker}, not to {name}",
                hint=f"leave it out, or call {taker}",
            )
    status = _call(dumper, machine, name, event)
    logger.info("command", command=name, **asdict(status))
    metrics.add_metric("Commands", MetricUnit.Count, 1)
    answer = asdict(status)
    if status.reason is None:
        del answer["reason"]
    return answer


def _call(dumper: Dumper, machine: str, name: str, event: dict[str, Any]) -> Status:
    if name == "set_count":
        if "count" not in event:
            raise Misconfigured("the field 'count' is missing", hint="a number, or null for off")
        return dumper.set_count(machine, event["count"])
    if name == "dump":
        at = event.get("at")
        if at is not None and (not isinstance(at, int) or isinstance(at, bool)):
            raise Misconfigured(f"the field 'at' is a block number, not {at!r}")
        return dumper.dump_now(machine, at)
    if name == "start":
        return dumper.start(machine)
    if name == "stop":
        return dumper.stop(machine)
    return dumper.status(machine)


def _due(detail: dict[str, Any], deadline: float) -> dict[str, Any]:
    machine, number = detail["machine"], detail["number"]
    made = _dumper().make_due(machine, number, deadline=deadline)
    metrics.add_metric("Snapshots", MetricUnit.Count, len(made))
    numbers = [manifest.number for manifest in made]
    logger.info("dumped", machine=machine, due=number, snapshots=numbers)
    return {"machine": machine, "snapshots": numbers}


def _sweep(deadline: float) -> dict[str, Any]:
    made = _dumper().sweep(deadline=deadline)
    numbers = {machine: [each.number for each in found] for machine, found in made.items()}
    metrics.add_metric("Swept", MetricUnit.Count, sum(map(len, numbers.values())))
    logger.info("swept", snapshots=msgspec.to_builtins(numbers))
    return {"swept": numbers}
