"""Executor λ: SQS FIFO batch → groups → blocks → the messages to deliver again.

A group's first message that could not be done and all behind it are reported as failed, so that
the queue delivers them again, in order. Groups do not wait for each other's trouble. Left alone,
the queue would hold them back for its whole visibility timeout; here they are released after a
second, and after twice as long each further time.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import SQSEvent

from blockfold.adapters.sqs import SqsQueue
from blockfold.application.execute import Executor, Folded
from blockfold.bootstrap import Adapters, actions_queue, executor
from blockfold.domain.action import Message
from blockfold.domain.errors import BlockfoldError
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

MARGIN_SECONDS = 25.0
"""What is kept of the function's time for the last action (20 s at most), commit and flush."""

LONGEST_SECONDS = 900
"""The longest wait between two deliveries. With the queue's 100 deliveries, an outage of almost
a day goes by before anything ends in the dead-letter queue."""

logger = Logger()
metrics = Metrics()


@cache
def _adapters() -> Adapters:
    return Adapters(Settings.from_environment())


@cache
def _executor() -> Executor:
    return executor(_adapters())


@cache
def _queue() -> SqsQueue:
    return actions_queue(_adapters())


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Fold each group's messages; answer with the ids of those to deliver again."""
    seconds = context.get_remaining_time_in_millis() / 1000
    deadline = time.monotonic() + max(seconds - MARGIN_SECONDS, seconds / 2)
    again: list[list[str]] = []
    for machine, messages in group(event).items():
        done = _fold(machine, messages, deadline)
        if left := [message.id for message in messages if message.id not in done]:
            again.append(left)
    for left in again:
        _release(event, set(left))
    return {"batchItemFailures": [{"itemIdentifier": id_} for left in again for id_ in left]}


def group(event: dict[str, Any]) -> dict[str, list[Message]]:
    """The messages of an SQS event by machine, in the queue's order."""
    groups: dict[str, list[Message]] = {}
    for record in SQSEvent(event).records:
        groups.setdefault(record.attributes.message_group_id or "", []).append(_message(record))
    return groups


def _release(event: dict[str, Any], again: set[str]) -> None:
    """Have a group's messages delivered again soon; if that fails, they only wait longer."""
    records = [record for record in SQSEvent(event).records if record.message_id in again]
    tries = max(int(record.attributes.approximate_receive_count) for record in records)
    seconds = min(2 ** min(tries - 1, 10), LONGEST_SECONDS)
    try:
        _queue().release([record.receipt_handle for record in records], seconds)
    except BlockfoldError as error:
        logger.warning("release failed", messages=len(records), error=str(error))


def _message(record: SQSRecord) -> Message:
    return Message(
        id=record.message_id,
        body=record.body,
        queue=record.event_source_arn,
        sequence=record.attributes.sequence_number or "0",
        sent=int(record.attributes.sent_timestamp),
        sender=record.attributes.sender_id,
    )


def _fold(machine: str, messages: list[Message], deadline: float) -> set[str]:
    """Ids of the messages that are done."""
    try:
        folded = _executor().fold(machine, messages, deadline=deadline)
    except Exception:  # one machine's trouble must not reach the others
        logger.exception("fold failed", machine=machine, messages=len(messages))
        metrics.add_metric("FoldErrors", MetricUnit.Count, 1)
        _executor.cache_clear()
        return set()
    _report(folded, len(messages))
    return folded.done


def _report(folded: Folded, messages: int) -> None:
    metrics.add_metric("Blocks", MetricUnit.Count, len(folded.blocks))
    metrics.add_metric("Conflicts", MetricUnit.Count, folded.conflicts)
    metrics.add_metric("Repeated", MetricUnit.Count, folded.repeated)
    for block in folded.blocks:
        for outcome, count in block.outcomes.items():
            metrics.add_metric(outcome.capitalize(), MetricUnit.Count, count)
    if folded.error is not None:
        metrics.add_metric("FoldErrors", MetricUnit.Count, 1)
    if folded.flush_error is not None:
        metrics.add_metric("FlushErrors", MetricUnit.Count, 1)
    trouble = folded.error or folded.flush_error or folded.replaced
    log = logger.warning if trouble else logger.info
    log(
        "folded",
        machine=folded.machine,
        messages=messages,
        done=len(folded.done),
        repeated=folded.repeated,
        conflicts=folded.conflicts,
        blocks=[block.number for block in folded.blocks],
        error=str(folded.error) if folded.error else None,
        flush_error=str(folded.flush_error) if folded.flush_error else None,
        replaced_queues=folded.replaced or None,
    )
