"""Writes down what it was called with, so that tests can see what reached it, and where it ran."""

from __future__ import annotations

import json
import os
import sys
import uuid
from typing import Any

import boto3


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Keep each record as an item; answer a direct call with the environment."""
    sys.stdout.write("called\n")
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    for record in event.get("Records", []):
        seen = record.get("body") or json.dumps(record["dynamodb"]["Keys"])
        table.put_item(
            Item={
                "machine": str(uuid.uuid4()),
                "source": record["eventSource"],
                "seen": seen,
                "code": os.environ["BLOCKFOLD_MACHINE"],
            }
        )
    return {"batchItemFailures": [], "environment": dict(os.environ)}
