"""Restore λ: ``{"machine", "block" | "snapshot" | "time", "as"?, "dry_run"?}`` → an old block back.

``{"machine", "resume": true}`` goes on with what had no time: the answer of such a call says
``"done": false``. ``{"machine", "import"}`` starts a machine from a state that was uploaded.
With ``"begin_large": true`` a large restore is only begun: the caller starts the workflow, which
calls with ``"step"``.

Anything wrong is a function error whose message names the field or number and the way out.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.adapters.payloads import check_text
from blockfold.application.push import check_machine_id
from blockfold.application.restore import Restored, Restorer, Target
from blockfold.bootstrap import Adapters, restorer
from blockfold.domain.errors import Misconfigured, NotFound
from blockfold.domain.point import parse_time
from blockfold.domain.spans import FIRST, LAST
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

FIELDS = {"machine", "block", "snapshot", "time", "as", "import", "dry_run", "begin_large"}
MARGIN_SECONDS = 30.0
"""What is kept of the function's time for the answer."""

LARGE_SECONDS = 600.0
"""What takes longer by its plan is large: with this much room it fits the function's 15 minutes."""

RANGES = 10
"""Pieces that a large restore is cut into, each worked on by a function of its own."""

logger = Logger()
metrics = Metrics()


@cache
def _restorer() -> Restorer:
    return restorer(Adapters(Settings.from_environment()))


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Plan or carry out a restore."""
    check_text(event)
    seconds = context.get_remaining_time_in_millis() / 1000
    deadline = time.monotonic() + seconds - MARGIN_SECONDS
    answer = _do(event, deadline)
    logger.info("restored", **answer)
    return answer


def _do(event: Any, deadline: float) -> dict[str, Any]:
    if isinstance(event, dict) and "step" in event:
        return _step(event, deadline)
    if isinstance(event, dict) and "resume" in event:
        return _answer(_restorer().resume(parse_resume(event), deadline=deadline))
    target = parse(event)
    if event.get("dry_run"):
        return _planned(target, deadline)
    return _answer(_begun(target, event, deadline))


def _step(event: dict[str, Any], deadline: float) -> dict[str, Any]:
    match event:
        case {"machine": str(machine), "step": "split"}:
            return _split(machine, deadline)
        case {"machine": str(), "step": "fill"}:
            return _fill(event, deadline)
        case {"machine": str(machine), "step": "finish"}:
            return _finish(machine, deadline)
    raise Misconfigured(
        f"unknown step {event['step']!r}", hint="only the restore workflow calls with a step"
    )


def parse_resume(event: dict[str, Any]) -> str:
    """The machine whose restore goes on.

    Raises:
        Misconfigured: A field is missing, unknown, or of another type.
    """
    machine = event.get("machine")
    if event.keys() != {"machine", "resume"} or event["resume"] is not True:
        raise Misconfigured('to go on with a restore, say {"machine": …, "resume": true}')
    if not isinstance(machine, str) or not machine:
        raise Misconfigured("the field 'machine' is a machine's id, and must be given")
    return machine


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
    for name in ("dry_run", "begin_large"):
        if not isinstance(event.get(name, False), bool):
            raise Misconfigured(f"the field {name!r} is true or false")
    imported = event.get("import")
    if imported is not None and not isinstance(imported, str):
        raise Misconfigured(f"the field 'import' is an object key, not {imported!r}")
    if imported is not None:
        check_machine_id(machine)
    if (fork := event.get("as")) is not None and not isinstance(fork, str):
        raise Misconfigured(f"the field 'as' is a machine id, not {fork!r}")
    return Target(
        machine,
        block=_number(event, "block"),
        snapshot=_number(event, "snapshot"),
        time=_time(event.get("time")),
        fork=None if fork is None else check_machine_id(fork),
        imported=imported,
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


def _planned(target: Target, deadline: float) -> dict[str, Any]:
    plan = _restorer().plan(target, deadline=deadline)
    assert plan.estimate is not None, "a plan that was asked for is counted"
    return {
        "machine": plan.machine,
        "source": plan.source,
        "restored": plan.number,
        "number": plan.next,
        "hash": None,
        "digest": plan.digest,
        "written": plan.estimate.writes,
        "deleted": plan.estimate.deletes,
        "dry_run": True,
        "rows": plan.rows,
        "snapshot": plan.snapshot,
        "base": plan.base,
        "folded": plan.folded,
        "estimate": asdict(plan.estimate),
    }


def _begun(target: Target, event: dict[str, Any], deadline: float) -> Restored:
    """Carry it out, unless it is large and the caller has a workflow for that."""
    restorer = _restorer()
    plan = restorer.outline(target)
    large = plan.most.seconds > LARGE_SECONDS
    begin_only = large and event.get("begin_large", False)
    metrics.add_metric("Restores", MetricUnit.Count, 1)
    return restorer.carry_out(plan, deadline=deadline, begin_only=begin_only)


def _answer(done: Restored) -> dict[str, Any]:
    origin = done.block.body.origin
    assert origin is not None, "it is a restore block"
    answer = {
        "machine": done.block.machine,
        "source": origin.machine,
        "restored": done.restored,
        "number": done.block.number,
        "hash": done.block.hash,
        "digest": done.block.header.digest,
        "written": done.written,
        "deleted": done.deleted,
        "snapshot": done.manifest,
        "rows": done.block.header.keys,
        "done": done.done,
        "share": round(done.share, 4),
    }
    return (
        answer if done.done else answer | {"next": {"machine": answer["machine"], "resume": True}}
    )


# -- the workflow's steps ----------------------------------------------------------------------


def _split(machine: str, deadline: float) -> dict[str, Any]:
    """Flush what came before the newest restore, and cut that by key."""
    restorer = _restorer()
    done = restorer.settle(machine, deadline=deadline)
    number, spans = restorer.split(machine, RANGES) if done else (0, [])
    ranges = [
        {
            "machine": machine,
            "step": "fill",
            "number": number,
            **({} if after == FIRST else {"after": after}),
            **({} if upto == LAST else {"upto": upto}),
        }
        for after, upto in spans
    ]
    return {"machine": machine, "step": "split", "done": done, "ranges": ranges}


def _fill(event: dict[str, Any], deadline: float) -> dict[str, Any]:
    """Go on with a range; the answer is what to call with again while it is not done."""
    span = (str(event.get("after", FIRST)), str(event.get("upto", LAST)))
    number = _number(event, "number")
    if number is None:
        raise Misconfigured("the step 'fill' needs a block's number")
    filled = _restorer().fill(event["machine"], number, span, deadline=deadline)
    return {**event, "done": filled.done}


def _finish(machine: str, deadline: float) -> dict[str, Any]:
    """Raise ``flushed``; write what is left, such as blocks that came meanwhile."""
    if _restorer().progress(machine) is None:
        return {"machine": machine, "step": "finish", "done": True}
    try:
        done = _restorer().resume(machine, deadline=deadline).done
    except NotFound:  # an executor finished it in between
        done = True
    return {"machine": machine, "step": "finish", "done": done}
