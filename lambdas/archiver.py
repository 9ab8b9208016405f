"""Archiver λ: Blocks stream → segments in the archive, one for each machine and batch.

If a block cannot be archived, those of other machines still are, and the first such record is
reported, so that the stream delivers it again with all behind it. What it gives up in the end is
healed from the table (`blockfold.application.compact`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.adapters.dynamodb.records import block_of, inserted, sequence_of
from blockfold.application.ship import Shipper
from blockfold.bootstrap import Adapters, shipper
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError
from blockfold.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

HELD_BYTES = 64 * 1024 * 1024
"""Bodies that are held before they are stored: a batch may have a thousand blocks, each of
megabytes in a body of its own."""

logger = Logger()
metrics = Metrics()


@cache
def _adapters() -> Adapters:
    return Adapters(Settings.from_environment())


@cache
def _shipper() -> Shipper:
    return shipper(_adapters())


@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Archive the blocks of a stream batch; answer with the first record to deliver again."""
    records = inserted(event)
    blocks: dict[str, Block] = {}
    undone: list[str] = []
    segments: list[str] = []
    held = 0
    for record in records:
        try:
            block = block_of(record, _adapters().objects)
        except BlockfoldError as error:
            undone.append(_warn(sequence_of(record), error))
            continue
        blocks[sequence_of(record)] = block
        held += len(block.payload)
        if held >= HELD_BYTES:
            undone += _ship(blocks, segments)
            blocks, held = {}, 0
    undone += _ship(blocks, segments)
    metrics.add_metric("Shipped", MetricUnit.Count, len(records) - len(undone))
    logger.info("shipped", segments=segments)
    first = next((key for key in map(sequence_of, records) if key in undone), None)
    return {"batchItemFailures": [] if first is None else [{"itemIdentifier": first}]}


def _ship(blocks: dict[str, Block], segments: list[str]) -> list[str]:
    """Store blocks and name their segments; the records of those that were not stored."""
    shipment = _shipper().ship(blocks.values())
    segments += [segment.key for segment in shipment.segments]
    failed = {block.hash: error for block, error in shipment.failed}
    return [_warn(key, failed[each.hash]) for key, each in blocks.items() if each.hash in failed]


def _warn(sequence: str, error: BlockfoldError) -> str:
    metrics.add_metric("ShipErrors", MetricUnit.Count, 1)
    logger.warning("archiving failed", record=sequence, error=str(error))
    return sequence
