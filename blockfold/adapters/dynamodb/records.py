"""What a DynamoDB stream brings: records of the Blocks table → blocks."""

from __future__ import annotations

import base64
from typing import Any

from blockfold.adapters.dynamodb.items import from_item
from blockfold.domain.block import Block
from blockfold.ports import ObjectStore


def inserted(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of new blocks, in the stream's order."""
    return [record for record in event["Records"] if record["eventName"] == "INSERT"]


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
    return from_item(native(record["dynamodb"]["NewImage"]), bodies)


def native(image: dict[str, Any]) -> dict[str, Any]:
    """A stream image as boto3 gives items: in the event, binary values are base64."""
    return {name: _attribute(value) for name, value in image.items()}


def _attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    if "B" in attribute:
        return {"B": base64.b64decode(attribute["B"])}
    return attribute
