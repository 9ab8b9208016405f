"""Deleting a machine's items from the tables.

Needs ``dynamodb:Query`` and ``BatchWriteItem`` on the Blocks and State tables, ``DeleteItem`` on
the Machines table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, WriteRequestTypeDef

REQUESTS = 25
"""Deletions that BatchWriteItem takes."""


class DynamoEraser:
    """An `Eraser` of the three tables.

    Args:
        client: A boto3 DynamoDB client.
        blocks: Name of the Blocks table.
        state: Name of the State table.
        machines: Name of the Machines table.
    """

    def __init__(self, client: DynamoDBClient, *, blocks: str, state: str, machines: str) -> None:
        self._client = client
        self._blocks = blocks
        self._state = state
        self._machines = machines

    def erase_state(self, machine: str) -> int:
        """See `Eraser.erase_state`."""
        return self._erase(self._state, machine, "key")

    def erase_blocks(self, machine: str) -> int:
        """See `Eraser.erase_blocks`."""
        return self._erase(self._blocks, machine, "number")

    def erase_record(self, machine: str) -> None:
        """See `Eraser.erase_record`."""
        try:
            self._client.delete_item(TableName=self._machines, Key={"machine": {"S": machine}})
        except (ClientError, BotoCoreError) as error:
            raise unavailable(
                f"could not delete machine {machine!r} from {self._machines}", error
            ) from error

    def _erase(self, table: str, machine: str, sort: str) -> int:
        """Delete all items of a partition; how many it were."""
        erased = 0
        keys = self._keys(table, machine, sort)
        while chunk := [*islice(keys, REQUESTS)]:
            todo: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in chunk]
            backoff = Backoff(f"could not delete items of machine {machine!r} from {table}")
            while todo:
                try:
                    answer = self._client.batch_write_item(RequestItems={table: todo})
                except (ClientError, BotoCoreError) as error:
                    raise unavailable(
                        f"could not delete items of machine {machine!r} from {table}", error
                    ) from error
                todo = list(answer["UnprocessedItems"].get(table, []))  # type: ignore[arg-type]
                if todo:
                    backoff.wait("throttled")
            erased += len(chunk)
        return erased

    def _keys(
        self, table: str, machine: str, sort: str
    ) -> Iterator[dict[str, AttributeValueTypeDef]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="machine = :machine",
            ProjectionExpression="machine, #sort",
            ExpressionAttributeNames={"#sort": sort},
            ExpressionAttributeValues={":machine": {"S": machine}},
            ConsistentRead=True,
        )
        try:
            for page in pages:
                yield from page["Items"]
        except (ClientError, BotoCoreError) as error:
            raise unavailable(
                f"could not list items of machine {machine!r} in {table}", error
            ) from error
