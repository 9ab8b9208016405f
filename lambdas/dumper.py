"""Dumper λ: due events, checks, the sweep, and direct calls → snapshots.

Four kinds of input: a ``BlockExecuted`` event from the bus, checks from their queue,
``{"sweep": true}`` from the schedule, and ``{"machine", "command", …}`` from people. Errors of
direct calls are function errors whose message says the way out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from blockfold.adapters.checks import from_body
from blockfold.adapters.payloads import check_text, reading, text
from blockfold.application.checks import Checker
from blockfold.application.compact import Compaction, Compactor
from blockfold.application.dump import Dumper, Status
from blockfold.bootstrap import Adapters, checker, compactor, dumper
from blockfold.domain.errors import BlockfoldError, Corrupted, Misconfigured
from blockfold.domain.policy import LARGEST
from blockfold.ports import Check
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

COMMANDS = ("start", "stop", "set_count", "set_policy", "dump", "archive", "status")
TAKERS = {"count": "set_count", "at": "dump", **dict.fromkeys(LARGEST, "set_policy")}
"""The command that takes a field."""

MARGIN_SECONDS = 60.0
"""What is kept of the function's time for the snapshot that is being made."""

logger = Logger()
metrics = Metrics()


@cache
def _adapters() -> Adapters:
    return Adapters(Settings.from_environment())


@cache
def _dumper() -> Dumper:
    return dumper(_adapters())


@cache
def _checker() -> Checker:
    return checker(_adapters())


@cache
def _compactor() -> Compactor:
    return compactor(_adapters())


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Make what is due, look at checks, sweep, or carry out a command."""
    if not isinstance(event, dict):
        raise Misconfigured(f"a call is a JSON object, not {event!r}")
    check_text(event)
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    if "detail-type" in event:
        answer = _due(event.get("detail"), deadline)
        _compact([answer["machine"]], deadline, context)
        return answer
    if "Records" in event:
        with reading("event of the queue of checks"):
            bodies = {text(each, "messageId"): text(each, "body") for each in event["Records"]}
        return _check(bodies, deadline)
    if event.get("sweep") is True:
        try:
            return _sweep(deadline)
        finally:  # trouble with a snapshot does not keep blocks out of the archive
            _compact(None, deadline, context)
    _check_call(event)
    if event["command"] == "archive":
        return _archive(event["machine"], deadline, context)
    return command(event, _dumper())


def _check_call(event: dict[str, Any]) -> None:
    """Hold a direct call against what may be called.

    Raises:
        Misconfigured: The payload is no call.
    """
    machine, name = event.get("machine"), event.get("command")
    if not isinstance(machine, str) or not machine:
        raise Misconfigured("the field 'machine' is a machine's id, and must be given")
    if name not in COMMANDS:
        raise Misconfigured(f"unknown command {name!r}", hint=f"one of {', '.join(COMMANDS)}")
    if unknown := event.keys() - {"machine", "command", *TAKERS}:
        raise Misconfigured(f"unknown field {min(unknown)!r}")
    for field, taker in TAKERS.items():
        if name != taker and event.get(field) is not None:
            raise Misconfigured(
                f"the field {field!r} belongs to {taker}, not to {name}",
                hint=f"leave it out, or call {taker}",
            )


def command(event: dict[str, Any], dumper: Dumper) -> dict[str, Any]:
    """Carry out a call to the dumper.

    Raises:
        Misconfigured: A field is missing or wrong.
        NotFound: There is no such machine or block.
    """
    machine, name = event["machine"], event["command"]
    status = _call(dumper, machine, name, event)
    logger.info("command", command=name, **asdict(status))
    metrics.add_metric("Commands", MetricUnit.Count, 1)
    answer = asdict(status)
    for name in ("reason", "policy"):
        if answer[name] is None:
            del answer[name]
    return answer


def _call(dumper: Dumper, machine: str, name: str, event: dict[str, Any]) -> Status:
    if name == "set_count":
        if "count" not in event:
            raise Misconfigured("the field 'count' is missing", hint="a number, or null for off")
        return dumper.set_count(machine, event["count"])
    if name == "set_policy":
        fields = {field: event[field] for field in LARGEST if field in event}
        return dumper.set_policy(machine, **fields)
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


def _due(detail: Any, deadline: float) -> dict[str, Any]:
    match detail:
        case {"machine": str(machine), "number": int(number)}:
            pass
        case _:
            raise Misconfigured(f"{detail!r} is no detail of BlockExecuted")
    made = _dumper().make_due(machine, number, deadline=deadline)
    metrics.add_metric("Snapshots", MetricUnit.Count, len(made))
    numbers = [manifest.number for manifest in made]
    logger.info("dumped", machine=machine, due=number, snapshots=numbers)
    return {"machine": machine, "snapshots": numbers}


def _check(bodies: dict[str, str], deadline: float) -> dict[str, Any]:
    """Look at checks, one a machine; answer with the messages to deliver again.

    Args:
        bodies: By the messages' ids.
        deadline: When to stop.
    """
    undone: list[str] = []
    checks: dict[str, tuple[Check, str]] = {}
    for message, body in bodies.items():
        try:
            check = from_body(body)
        except BlockfoldError as error:
            undone.append(_undone(message, error))
            continue
        # What is true of a machine's newest block, longest waited for, is enough to know.
        known = checks.get(check.machine)
        if known is None or _order(known[0]) < _order(check):
            checks[check.machine] = check, message
    made: dict[str, int] = {}
    for check, message in checks.values():
        if time.monotonic() >= deadline:
            undone.append(message)
            continue
        try:
            manifest = _checker().check(check, deadline=deadline)
        except BlockfoldError as error:
            undone.append(_undone(message, error))
            continue
        if manifest is not None:
            made[check.machine] = manifest.number
    metrics.add_metric("Checked", MetricUnit.Count, len(bodies))
    metrics.add_metric("Snapshots", MetricUnit.Count, len(made))
    logger.info("checked", messages=len(bodies), snapshots=made)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in undone]}


def _order(check: Check) -> tuple[int, int]:
    return check.number, check.waited + check.seconds


def _undone(message: str, error: BlockfoldError) -> str:
    metrics.add_metric("CheckErrors", MetricUnit.Count, 1)
    logger.warning("check failed", check=message, error=str(error))
    return message


def _sweep(deadline: float) -> dict[str, Any]:
    try:
        made = _dumper().sweep(deadline=deadline)
    finally:  # one machine's trouble does not keep the others from their policies
        fresh = _checker().sweep(deadline=deadline)
    numbers = {machine: [each.number for each in found] for machine, found in made.items()}
    for machine, manifest in fresh.items():
        numbers.setdefault(machine, []).append(manifest.number)
    metrics.add_metric("Swept", MetricUnit.Count, sum(map(len, numbers.values())))
    logger.info("swept", snapshots=msgspec.to_builtins(numbers))
    return {"swept": numbers}


def _archive(machine: str, deadline: float, context: LambdaContext) -> dict[str, Any]:
    """Bring the archive of a machine up to its head."""
    done = _compactor().compact(machine, deadline=deadline, upto_head=True)
    _tell(done, context)
    metrics.add_metric("Commands", MetricUnit.Count, 1)
    return {
        "machine": machine,
        "archived": done.archived,
        "segments": done.segments,
        "healed": done.healed,
    }


def _compact(machines: Iterable[str] | None, deadline: float, context: LambdaContext) -> None:
    """Compact the archives of some machines, or of all: trouble there is no trouble of a dump."""
    done: list[Compaction] = []
    failed: list[BlockfoldError] = []
    try:
        if machines is None:
            sweep = _compactor().sweep(deadline=deadline)
            done, failed = sweep.done, sweep.failed
        else:
            done = [_compactor().compact(machine, deadline=deadline) for machine in machines]
    except BlockfoldError as error:
        failed = [error]
    for each in done:
        _tell(each, context)
    for trouble in failed:
        metrics.add_metric("ArchiveErrors", MetricUnit.Count, 1)
        logger.warning("compaction failed", error=str(trouble))
        if isinstance(trouble, Corrupted):
            _alarm("ArchiveTrouble", 1, context)


def _tell(done: Compaction, context: LambdaContext) -> None:
    logger.info("archived", **asdict(done))
    _alarm("ArchiveHealed", done.healed, context)
    _alarm("ArchiveTrouble", len(done.trouble), context)


def _alarm(name: str, count: int, context: LambdaContext) -> None:
    """Count what an alarm of this stack watches: under the function's own name, unless it is 0."""
    if count:
        with single_metric(name, MetricUnit.Count, count, namespace=metrics.namespace) as metric:
            metric.add_dimension("function", context.function_name)
