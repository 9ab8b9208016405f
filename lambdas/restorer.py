"""Restore λ: ``{"machine", "block" | "snapshot" | "time", "as"?, "dry_run"?}`` → an old block back.

Anything wrong is a function error whose message names the field or number and the way out.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.application.push import check_machine_id
from blockfold.application.restore import Restorer, Target
from blockfold.bootstrap import Adapters, restorer
from blockfold.domain.errors import Misconfigured
from blockfold.domain.point import parse_time
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

FIELDS = {"machine", "block", "snapshot", "time", "as", "dry_run"}
MARGIN_SECONDS = 30.0
"""What is kept of the function's time for the answer."""


logger = Logger()
metrics = Metrics()


@cache
def _restorer() -> Restorer:
    return restorer(Adapters(Settings.from_environment()))


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Plan or carry out a restore."""
    target = parse(event)
    if event.get("dry_run"):
        answer = _planned(target)
    else:
        seconds = context.get_remaining_time_in_millis() / 1000
        answer = _carried_out(target, time.monotonic() + seconds - MARGIN_SECONDS)
    metrics.add_metric("Restores", MetricUnit.Count, 1)
    logger.info("restored", **answer)
    return answer


def parse(event: Any) -> Target:
    """The target that a payload asks for.

    Raises:
        Misconfigured: A field is missing, unknown, or of another type.
    """
    if not isinstance(event, dict):
        raise Misconfigured(f"a restore is a JSON object, not {event!r}")
    if unknown := event.keys() - FIELDS:
        raise Misconfigured(
            f"unknown field {min(unknown)!r}", hint=f"the fields are {', '.join(sorted(FIELDS))}"
        )
    machine = event.get("machine")
    if not isinstance(machine, str) or not machine:
        raise Misconfigured("the field 'machine' is a machine's id, and must be given")
    if not isinstance(event.get("dry_run", False), bool):
        raise Misconfigured("the field 'dry_run' is true or false")
    if (fork := event.get("as")) is not None and not isinstance(fork, str):
        raise Misconfigured(f"the field 'as' is a machine id, not {fork!r}")
    return Target(
        machine,
        block=_number(event, "block"),
        snapshot=_number(event, "snapshot"),
        time=_time(event.get("time")),
        fork=None if fork is None else check_machine_id(fork),
    )


def _number(event: dict[str, Any], name: str) -> int | None:
    value = event.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise Misconfigured(f"the field {name!r} is a block number, not {value!r}")
    return value


def _time(text: object) -> int | None:
    if text is None:
        return None
    moment = parse_time(str(text))
    if moment is None:
        raise Misconfigured(
            f"the field 'time' is no RFC 3339 time: {text!r}", hint="such as 2026-01-31T12:00:00Z"
        )
    return moment


def _planned(target: Target) -> dict[str, Any]:
    plan = _restorer().plan(target)
    return {
        "machine": plan.machine,
        "source": plan.source,
        "restored": plan.number,
        "number": plan.next,
        "hash": None,
        "digest": plan.digest,
        "written": plan.writes,
        "deleted": plan.deletes,
        "dry_run": True,
        "rows": plan.rows,
        "snapshot": plan.snapshot,
    }


def _carried_out(target: Target, deadline: float) -> dict[str, Any]:
    done = _restorer().carry_out(target, deadline=deadline)
    return {
        "machine": done.block.machine,
        "source": target.machine,
        "restored": done.restored,
        "number": done.block.number,
        "hash": done.block.hash,
        "digest": done.block.header.digest,
        "written": done.written,
        "deleted": done.deleted,
        "snapshot": done.manifest,
    }
