"""Announcer λ: Blocks stream → events on the bus.

If something could not be announced, the first record concerned is reported, so that the stream
delivers it again with all behind it.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from blockfold.adapters.dynamodb.items import from_item
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
    inserted = [record for record in event["Records"] if record["eventName"] == "INSERT"]
    again: str | None = None
    blocks: list[Block] = []
    for record in inserted:
        try:
            blocks.append(_block(record))
        except BlockfoldError as error:
            # What cannot be read must not take the readable ones behind it along.
            again = again or record["dynamodb"]["SequenceNumber"]
            _warn("a block of the stream is unreadable", error)
    try:
        count = _announcer().announce(blocks)
    except BlockfoldError as error:
        again = inserted[0]["dynamodb"]["SequenceNumber"]
        _warn("announce failed", error)
    else:
        metrics.add_metric("Announced", MetricUnit.Count, count)
        names = [f"{block.machine}/{block.number}" for block in blocks]
        logger.info("announced", events=count, blocks=names)
    return {"batchItemFailures": [] if again is None else [{"itemIdentifier": again}]}


def _block(record: dict[str, Any]) -> Block:
    return from_item(native(record["dynamodb"]["NewImage"]), _adapters().objects)


def _warn(what: str, error: BlockfoldError) -> None:
    metrics.add_metric("AnnounceErrors", MetricUnit.Count, 1)
    logger.warning(what, error=str(error))


def native(image: dict[str, Any]) -> dict[str, Any]:
    """A stream image as boto3 gives items: in the event, binary values are base64."""
    return {name: _attribute(value) for name, value in image.items()}


def _attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    if "B" in attribute:
        return {"B": base64.b64decode(attribute["B"])}
    return attribute
