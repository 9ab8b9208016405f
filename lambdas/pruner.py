"""Pruner λ: the daily sweep, and direct calls → what retention does not keep is let go.

Two kinds of input: ``{"sweep": true}`` from the schedule, and from people ``{"machine",
"command"}`` with ``prune`` (``dry_run``), ``set_retention`` (``snapshots``, ``thin``, ``blocks``,
``days``: what is given is changed, null keeps all) or ``status``. Errors of direct calls are
function errors whose message says the way out.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.adapters.payloads import check_text
from blockfold.application.prune import Kept, Pruner
from blockfold.application.prune_plan import Pruning
from blockfold.bootstrap import Adapters, pruner
from blockfold.domain.errors import Misconfigured
from blockfold.domain.retention import Retention, Thin, format_thin, parse_thin
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

NUMBERS = ("snapshots", "blocks", "days")
TAKES = {"prune": {"dry_run"}, "set_retention": {*NUMBERS, "thin"}, "status": set[str]()}
"""The commands, and the fields that each of them takes."""

MARGIN_SECONDS = 60.0
"""What is kept of the function's time for the deletion that is under way."""

logger = Logger()
metrics = Metrics()


@cache
def _pruner() -> Pruner:
    return pruner(Adapters(Settings.from_environment()))


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Prune all machines, or carry out a command."""
    if not isinstance(event, dict):
        raise Misconfigured(f"a call is a JSON object, not {event!r}")
    check_text(event)
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    if event.get("sweep") is True:
        return _sweep(deadline)
    return command(event, _pruner(), deadline)


def command(event: dict[str, Any], pruner: Pruner, deadline: float) -> dict[str, Any]:
    """Carry out a direct call.

    Raises:
        Misconfigured: The payload is no call.
        NotFound: There is no such machine.
    """
    machine, name = event.get("machine"), event.get("command")
    if not isinstance(machine, str) or not machine:
        raise Misconfigured("the field 'machine' is a machine's id, and must be given")
    if not isinstance(name, str) or name not in TAKES:
        raise Misconfigured(f"unknown command {name!r}", hint=f"one of {', '.join(TAKES)}")
    if unknown := event.keys() - {"machine", "command"} - TAKES[name]:
        raise Misconfigured(f"{name} takes no field {min(unknown)!r}")
    if name == "prune":
        answer = _prune(machine, pruner, deadline, dry_run=event.get("dry_run", False))
    elif name == "set_retention":
        now = pruner.status(machine).record.retention
        answer = _kept(pruner.set_retention(machine, parse(event, now)))
    else:
        answer = _kept(pruner.status(machine))
    logger.info("command", command=name, **answer)
    metrics.add_metric("Commands", MetricUnit.Count, 1)
    return answer


def parse(event: dict[str, Any], now: Retention) -> Retention:
    """What is to be kept: what holds now, and over it what a call says.

    Raises:
        Misconfigured: A field is of another type.
    """
    changes: dict[str, Any] = {}
    for name in NUMBERS:
        value = event.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise Misconfigured(f"the field {name!r} is a whole number or null, not {value!r}")
        if name in event:
            changes[name] = value
    if "thin" in event:
        changes["thin"] = _tiers(event["thin"])
    if not changes:
        raise Misconfigured(
            "nothing is said about what to keep",
            hint="give snapshots, thin, blocks or days; null keeps all",
        )
    return msgspec.structs.replace(now, **changes)


def _tiers(value: object) -> tuple[Thin, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Misconfigured(
            f"the field 'thin' is a list of texts or null, not {value!r}",
            hint='for example ["1h/2d", "1d/30d"]',
        )
    return tuple(parse_thin(each) for each in value)


def _prune(machine: str, pruner: Pruner, deadline: float, *, dry_run: object) -> dict[str, Any]:
    if not isinstance(dry_run, bool):
        raise Misconfigured("the field 'dry_run' is true or false")
    if dry_run:
        done = pruner.plan(machine, deadline=deadline)
    else:
        done = pruner.prune(machine, deadline=deadline)
        _count([done])
    return {**told(done), "dry_run": dry_run}


def _sweep(deadline: float) -> dict[str, Any]:
    done = _pruner().all(deadline=deadline)
    _count([*done.values()])
    answer = {machine: told(each) for machine, each in done.items()}
    logger.info("swept", machines=len(answer))
    for each in answer.values():
        logger.info("pruned", **each)
    return {"swept": sorted(answer)}


def _count(done: list[Pruning]) -> None:
    metrics.add_metric("RemovedSnapshots", MetricUnit.Count, sum(len(x.snapshots) for x in done))
    metrics.add_metric("ExpiringBlocks", MetricUnit.Count, sum(x.blocks.count for x in done))
    metrics.add_metric("DeletedObjects", MetricUnit.Count, sum(x.objects for x in done))


def told(done: Pruning) -> dict[str, Any]:
    """What goes, or went, for those who asked."""
    return {
        "machine": done.machine,
        "snapshots": list(done.snapshots),
        "first": done.blocks.first if done.blocks.count else None,
        "last": done.blocks.last if done.blocks.count else None,
        "blocks": done.blocks.count,
        "reason": done.blocks.reason,
        "proof": done.proof,
        "copies": len(done.copies),
        "runs": len(done.runs),
        "segments": len(done.segments),
        "bodies": len(done.bodies),
        "bytes": done.bytes,
        "notes": list(done.notes),
    }


def _kept(kept: Kept) -> dict[str, Any]:
    record = kept.record
    return {
        "machine": record.machine,
        "snapshots": record.retention.snapshots,
        "thin": [format_thin(tier) for tier in record.retention.thin],
        "blocks": record.retention.blocks,
        "days": record.retention.days,
        "changed": kept.changed,
        "head": kept.head,
        "stored_snapshots": kept.snapshots,
        "archived": record.archived,
        "verified": record.verified,
        "pruned": record.pruned,
    }
