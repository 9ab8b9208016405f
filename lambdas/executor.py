"""Executor λ: SQS FIFO batch → groups → blocks → the messages to deliver again.

Each group has a fair share of the time, so that they do not wait for each other's trouble. All
groups' blocks are committed before anything long is written to the state table.

A group's first message that could not be done and all behind it are reported as failed, so that
the queue delivers them again, in order; the last one also if only the state table is behind. Left
alone, the queue would hold them back for its whole visibility timeout. Those that time cut off are
released at once. After trouble they are released after a second, and after twice as long each
further time.

A message that comes for the third time may hold an action that ends the process, so its actions
are run in processes of their own, which costs some 4 ms each.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import SQSEvent

from blockfold.adapters.envelope import unseal
from blockfold.adapters.payloads import reading, text
from blockfold.adapters.sqs import SqsQueue
from blockfold.adapters.system import collect_seldom
from blockfold.application.execute import Executor, Folded
from blockfold.application.lanes import Share, Steps, share_lanes
from blockfold.application.turns import take_turns
from blockfold.bootstrap import Adapters, actions_queue, executor
from blockfold.domain.action import Message
from blockfold.domain.errors import BlockfoldError
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

MARGIN_SECONDS = 25.0
"""What is kept of the function's time for the last action (20 s at most), commit and flush."""

FLUSH_MARGIN_SECONDS = 10.0
"""What is kept of it for the last chunk of state writes, throttled, and for the answer."""

SHORT_FLUSH = 250
"""Pending writes up to which a group's table is flushed before the next group's turn."""

BATCH = 10
"""Messages that Lambda takes from a FIFO queue at once, at most. So many say that more wait."""

BUSY = 5
"""Messages of one group in a full batch that are taken for a backlog of it. The last one is
delivered once more for each batch whose flush is deferred, which must be worth it."""

CONFINED_FROM = 3
"""The delivery from which a message's actions are run in processes of their own. One death may
have been somebody else's doing."""

LONGEST_RESTORE_SECONDS = 120
"""The longest wait while a restore is brought to the table: each delivery goes on with it, and the
queue's 1,000 deliveries last for a day and a half."""

LONGEST_SECONDS = 900
"""The longest wait between two deliveries. With the queue's 1,000 deliveries, an outage of ten
days goes by before anything ends in the dead-letter queue."""

logger = Logger()
metrics = Metrics()
collect_seldom()


@cache
def _adapters() -> Adapters:
    return Adapters(Settings.from_environment())


@cache
def _executor() -> Executor:
    return executor(_adapters())


@cache
def _queue() -> SqsQueue:
    return actions_queue(_adapters())


@dataclass(slots=True)
class Group:
    """The messages of one machine in a batch.

    Attributes:
        folded: What became of them.
        records: The same as the queue delivered them.
        defect: It failed in a way that nobody foresaw, which is logged already.
    """

    folded: Folded
    records: list[SQSRecord]
    defect: bool = False


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Fold each group's messages; answer with the ids of those to deliver again."""
    seconds = context.get_remaining_time_in_millis() / 1000
    now = time.monotonic()
    with reading("event of a FIFO queue"):
        groups = group(event)
    # Who waited longest comes first: nobody is left without a turn again and again.
    in_turn = sorted(groups, key=lambda each: -tries(each.records))
    commits = now + max(seconds - MARGIN_SECONDS, seconds / 2)
    share_lanes(in_turn, _commit, time.monotonic, deadline=commits)
    flushes = now + max(seconds - FLUSH_MARGIN_SECONDS, seconds * 3 / 4)
    take_turns(in_turn, _flush, _is_behind, time.monotonic, deadline=flushes)
    for each in groups:
        _count(each.folded)
        if not each.defect:
            _tell(each.folded)
    for each in groups:
        _release(each)
    return {
        "batchItemFailures": [
            {"itemIdentifier": message.id} for each in groups for message in each.folded.again
        ]
    }


def group(event: dict[str, Any]) -> list[Group]:
    """The groups of an SQS event, each with its messages in the queue's order.

    Raises:
        LookupError, TypeError, ValueError: It is none.
    """
    for each in event["Records"]:
        for name in ("messageId", "body", "receiptHandle", "eventSourceARN"):
            text(each, name)
        for name in ("MessageGroupId", "SequenceNumber", "SenderId"):
            text(each["attributes"], name)
    machines: dict[str, list[SQSRecord]] = {}
    for record in SQSEvent(event).records:
        machines.setdefault(record.attributes.message_group_id or "", []).append(record)
    full = len(event["Records"]) >= BATCH
    return [
        Group(_folded(machine, records, full), records) for machine, records in machines.items()
    ]


def _folded(machine: str, records: list[SQSRecord], full: bool) -> Folded:
    suspects = {each.message_id for each in records if tries([each]) >= CONFINED_FROM}
    backlog = full and len(records) >= BUSY
    return Folded(machine, [_message(record) for record in records], suspects, backlog=backlog)


def tries(records: list[SQSRecord]) -> int:
    """How often the queue delivered the one that it delivered most."""
    return max(int(record.attributes.approximate_receive_count) for record in records)


def _is_behind(each: Group) -> bool:
    return each.folded.behind and not each.folded.failed and not each.folded.deferred


def _commit(each: Group, share: Share) -> Steps:
    """Commit a group's blocks; a defect in it does not reach the other groups."""
    try:
        yield from _executor().commit(each.folded, share, short=SHORT_FLUSH)
    except Exception as defect:  # noqa: BLE001 - it is logged, and the messages come again
        _give_up(each, defect)


def _flush(each: Group, deadline: float) -> None:
    try:
        _executor().flush(each.folded, deadline=deadline)
    except Exception as defect:  # noqa: BLE001 - it is logged, and the messages come again
        _give_up(each, defect)


def _give_up(each: Group, defect: Exception) -> None:
    """Tell of a defect that nobody foresaw; nothing stays cached after one."""
    folded = each.folded
    logger.exception("fold failed", machine=folded.machine, messages=len(folded.messages))
    _executor.cache_clear()
    folded.error, each.defect = defect, True


def _release(each: Group) -> None:
    """Have a group's messages delivered again soon; if that fails, they only wait longer."""
    again = {message.id for message in each.folded.again}
    records = [record for record in each.records if record.message_id in again]
    if not records:
        return
    longest = 0
    if each.folded.failed:
        longest = LONGEST_SECONDS
    elif each.folded.waits is not None:
        longest = LONGEST_RESTORE_SECONDS
    seconds = min(2 ** min(tries(records) - 1, 10), longest)
    try:
        _queue().release([record.receipt_handle for record in records], seconds)
    except BlockfoldError as error:
        logger.warning("release failed", messages=len(records), error=str(error))


def _message(record: SQSRecord) -> Message:
    named = record.raw_event.get("messageAttributes") or {}
    opened = unseal(
        record.body, {name: each.get("stringValue") or "" for name, each in named.items()}
    )
    return Message(
        id=record.message_id,
        body=opened.body,
        queue=record.event_source_arn,
        sequence=record.attributes.sequence_number or "0",
        sent=int(record.attributes.sent_timestamp),
        sender=record.attributes.sender_id,
        producer=opened.producer,
        count=opened.count,
        spoiled=opened.spoiled,
    )


def _count(folded: Folded) -> None:
    metrics.add_metric("Blocks", MetricUnit.Count, len(folded.blocks))
    metrics.add_metric("Conflicts", MetricUnit.Count, folded.conflicts)
    metrics.add_metric("Repeated", MetricUnit.Count, folded.repeated)
    if folded.gaps:
        missing = sum(gap.last - gap.first + 1 for gap in folded.gaps)
        metrics.add_metric("Missing", MetricUnit.Count, missing)
    for block in folded.blocks:
        for outcome, count in block.outcomes.items():
            metrics.add_metric(outcome.capitalize(), MetricUnit.Count, count)
    if folded.error is not None:
        metrics.add_metric("FoldErrors", MetricUnit.Count, 1)
    if folded.flush_error is not None:
        metrics.add_metric("FlushErrors", MetricUnit.Count, 1)


def _tell(folded: Folded) -> None:
    trouble = folded.error or folded.flush_error or folded.replaced or folded.gaps
    log = logger.warning if trouble else logger.info
    log(
        "folded",
        machine=folded.machine,
        messages=len(folded.messages),
        done=len(folded.done),
        repeated=folded.repeated,
        conflicts=folded.conflicts,
        blocks=[block.number for block in folded.blocks],
        error=str(folded.error) if folded.error else None,
        flush_error=str(folded.flush_error) if folded.flush_error else None,
        waits=str(folded.waits) if folded.waits else None,
        pending=folded.pending or None,
        deferred=folded.deferred or None,
        confined=len(folded.suspects) or None,
        replaced_queues=folded.replaced or None,
        missing=[str(gap) for gap in folded.gaps] or None,
    )
