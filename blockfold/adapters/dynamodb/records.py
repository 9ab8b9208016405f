"""What a DynamoDB stream brings: records of the Blocks table → blocks."""

from __future__ import annotations

import base64
from typing import Any

from blockfold.adapters.dynamodb.items import from_item
from blockfold.adapters.payloads import reading, text
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted
from blockfold.ports import ObjectStore


def inserted(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of new blocks, in the stream's order.

    Raises:
        Misconfigured: It is no event of a stream.
    """
    with reading("event of a DynamoDB stream"):
        records = [record for record in event["Records"] if record["eventName"] == "INSERT"]
        for record in records:
            text(record["dynamodb"], "SequenceNumber")
    return records


def sequence_of(record: dict[str, Any]) -> str:
    """What a record is named by when it has to be delivered again."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def block_of(record: dict[str, Any], bodies: ObjectStore) -> Block:
    """The block in a record.

    Raises:
        Corrupted: Item or body are damaged or missing.
        Unavailable: The body could not be read.
    """
    try:
        image = native(record["dynamodb"]["NewImage"])
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise Corrupted(
            f"the stream's record {sequence_of(record)} is damaged: {error!r}"
        ) from error
    return from_item(image, bodies)


def native(image: dict[str, Any]) -> dict[str, Any]:
    """A stream image as boto3 gives items: in the event, binary values are base64."""
    return {name: _attribute(value) for name, value in image.items()}


def _attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    if "B" in attribute:
        return {"B": base64.b64decode(attribute["B"])}
    return attribute
