"""Driller λ: the schedule, or a direct call → a rehearsed rebuild, its measures, or an error.

Two kinds of input: ``{"every": days}`` from the schedule takes the machine whose turn it is, and
``{"machine"}`` from people takes that one; both may have ``rpo``, seconds. What is wrong is a
function error, on which an alarm rings. A machine that is too large for the function's time is
passed over with the reason, for the next one in turn.
"""

from __future__ import annotations

import time
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.adapters.payloads import check_text
from blockfold.application.drill import RPO_SECONDS, Drill, Drilled
from blockfold.bootstrap import Adapters, drill
from blockfold.domain.errors import Corrupted, Misconfigured, NotFound
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

MARGIN_SECONDS = 60.0
"""What is kept of the function's time for deleting the last scratch rows."""

DAY = 86_400_000
"""Milliseconds."""

logger = Logger()
metrics = Metrics()


@cache
def _drill() -> Drill:
    return drill(Adapters(Settings.from_environment()))


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Rehearse the rebuild of one machine.

    Raises:
        Corrupted: The machine would not come back as it should.
        Misconfigured: The payload is no call.
        NotFound: There is no such machine.
    """
    check_text(event)
    machine, every, rpo = _parsed(event)
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    drill = _drill()
    skipped: dict[str, str] = {}
    done: Drilled | None = None
    for name in [machine] if machine else _in_turn(drill, every):
        try:
            done = drill.run(name, rpo=rpo, deadline=deadline)
        except NotFound as error:
            if machine:
                raise
            skipped[name] = error.message  # it is registered, and has no block yet
            continue
        _tell(done)
        if done.findings:
            raise Corrupted(
                f"the drill of machine {name!r} found: {'; '.join(done.findings)}",
                hint=f"`blockfold drill {name}` tells whether it still is so",
            )
        if not done.skipped:
            break
        skipped[name] = done.skipped
    if done is None:
        return {"machine": None, "passed_over": skipped}
    return {**done.report(), "passed_over": skipped}


def _parsed(event: Any) -> tuple[str, int, float]:
    """Machine (or none), days between two scheduled drills, and the limit of the RPO."""
    if not isinstance(event, dict) or event.keys() - {"machine", "every", "rpo"}:
        raise Misconfigured(f"{event!r} is no call", hint='for example {"machine": "grove"}')
    machine, every = event.get("machine", ""), event.get("every", 1)
    rpo = event.get("rpo", RPO_SECONDS)
    if not isinstance(machine, str) or (machine == "" and "every" not in event):
        raise Misconfigured("the field 'machine' is a machine's id, and must be given")
    if not isinstance(every, int) or every < 1:
        raise Misconfigured(f"the field 'every' is a number of days, not {every!r}")
    if not isinstance(rpo, int | float) or rpo < 0:
        raise Misconfigured(f"the field 'rpo' is a number of seconds, not {rpo!r}")
    return machine, every, rpo


def _in_turn(drill: Drill, every: int) -> list[str]:
    """All machines, the one whose turn it is first: each has its turn in as many drills.

    Their order is that of their hashes, so that a new one does not move the others much.
    """
    names = sorted(
        (record.machine for record in drill.machines.list()),
        key=lambda name: sha256(name.encode()).digest(),
    )
    turn = drill.clock.now() // (every * DAY) % len(names) if names else 0
    return names[turn:] + names[:turn]


def _tell(done: Drilled) -> None:
    logger.info("drilled", extra=done.report())
    metrics.add_metric("RpoBlocks", MetricUnit.Count, done.rpo_blocks)
    metrics.add_metric("RpoSeconds", MetricUnit.Seconds, done.rpo_seconds)
    if not done.skipped and not done.findings:
        metrics.add_metric("RtoSeconds", MetricUnit.Seconds, done.rto_seconds)
