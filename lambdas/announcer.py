"""Announcer λ: Blocks stream → events on the bus, and checks of machines with a policy.

If a block cannot be announced, those behind it still are, and the first such record is reported, so
that the stream delivers it again with all behind it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.adapters.dynamodb.records import block_of, inserted, sequence_of
from blockfold.application.announce import Announcer
from blockfold.bootstrap import Adapters, announcer
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@cache
def _adapters() -> Adapters:
    return Adapters(Settings.from_environment())


@cache
def _announcer() -> Announcer:
    return announcer(_adapters())


@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Announce the blocks of a stream batch; answer with the first record to deliver again."""
    records = inserted(event)
    blocks: dict[str, Block] = {}
    undone: list[str] = []
    for record in records:
        sequence = sequence_of(record)
        try:
            blocks[sequence] = _block(record)
        except BlockfoldError as error:
            undone.append(_warn(sequence, error))
    try:
        count = _announce(list(blocks.values()))
    except BlockfoldError:
        count, failed = _one_by_one(blocks)
        undone += failed
    metrics.add_metric("Announced", MetricUnit.Count, count)
    names = [f"{each.machine}/{each.number}" for key, each in blocks.items() if key not in undone]
    logger.info("announced", events=count, blocks=names)
    order = {sequence_of(record): at for at, record in enumerate(records)}
    first = min(undone, key=order.__getitem__, default=None)
    return {"batchItemFailures": [] if first is None else [{"itemIdentifier": first}]}


def _one_by_one(blocks: dict[str, Block]) -> tuple[int, list[str]]:
    """Announce what can be: events published, and the records of the blocks that were not."""
    count, undone = 0, []
    for sequence, block in blocks.items():
        try:
            count += _announce([block])
        except BlockfoldError as error:
            undone.append(_warn(sequence, error))
    return count, undone


def _announce(blocks: list[Block]) -> int:
    """Announce blocks: events published. That checks could not be asked for is only told."""
    told = _announcer().announce(blocks)
    if told.checks:
        metrics.add_metric("ChecksAsked", MetricUnit.Count, told.checks)
    if told.trouble is not None:
        metrics.add_metric("CheckErrors", MetricUnit.Count, 1)
        logger.warning("checks not asked for", error=str(told.trouble))
    return told.events


def _warn(sequence: str, error: BlockfoldError) -> str:
    metrics.add_metric("AnnounceErrors", MetricUnit.Count, 1)
    logger.warning("announce failed", record=sequence, error=str(error))
    return sequence


def _block(record: dict[str, Any]) -> Block:
    return block_of(record, _adapters().objects)
