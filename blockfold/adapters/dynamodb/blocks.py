"""The log in DynamoDB: one item a block, committed by one conditional put.

Needs ``dynamodb:PutItem``, ``GetItem`` and ``Query`` on the Blocks table, and put and get of
objects below ``machines/`` in the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import code_of, unavailable
from blockfold.adapters.dynamodb.items import INLINE_BYTES, from_item, to_item
from blockfold.adapters.dynamodb.packing import SMALL_BYTES, pack
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockConflict
from blockfold.domain.keys import body_key
from blockfold.ports import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


LANES = 8
"""Blocks that are marked at once: a request takes milliseconds, most of them waiting."""


class DynamoBlockLog:
    """A `BlockLog` in a table, with large bodies in an object store.

    Args:
        client: A boto3 DynamoDB client.
        table: Name of the Blocks table.
        bodies: Where bodies above ``inline`` bytes go.
        inline: Most compressed bytes of a body that stay in the item.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        bodies: ObjectStore,
        *,
        inline: int = INLINE_BYTES,
    ) -> None:
        self._client = client
        self._table = table
        self._bodies = bodies
        self._inline = inline

    def append(self, block: Block) -> None:
        """See `BlockLog.append`. A large body is stored before the block that names it.

        Raises:
            LimitExceeded: The body is larger than `get` would take; nothing was stored.
        """
        name = f"block {block.number} of machine {block.machine!r}"
        packed = pack(block.payload, name)
        spilled = len(packed) > self._inline
        if spilled:
            if len(block.payload) <= SMALL_BYTES:
                packed = pack(block.payload, name, dictionary=False)
            self._bodies.put_new(body_key(block.machine, block.number, block.header.body), packed)
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(block, None if spilled else packed),
                ConditionExpression="attribute_not_exists(#number)",
                ExpressionAttributeNames={"#number": "number"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise self._failed("commit", block.machine, block.number, error) from error
            item = cast("dict[str, AttributeValueTypeDef] | None", error.response.get("Item"))
            winner = self._block(item) if item else self.get(block.machine, block.number)
            if winner is None:
                raise self._failed("commit", block.machine, block.number, error) from error
            if winner.hash != block.hash:
                raise BlockConflict(winner) from None
        except BotoCoreError as error:
            raise self._failed("commit", block.machine, block.number, error) from error

    def head(self, machine: str) -> Block | None:
        """See `BlockLog.head`: the newest item itself, there is no other record of it."""
        try:
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="machine = :machine",
                ExpressionAttributeValues={":machine": {"S": machine}},
                ScanIndexForward=False,
                Limit=1,
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise unavailable(
                f"could not read the head of machine {machine!r} in {self._table}", error
            ) from error
        return self._block(answer["Items"][0]) if answer["Items"] else None

    def get(self, machine: str, number: int) -> Block | None:
        """See `BlockLog.get`."""
        try:
            answer = self._client.get_item(
                TableName=self._table,
                Key={"machine": {"S": machine}, "number": {"N": str(number)}},
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", machine, number, error) from error
        return self._block(answer["Item"]) if "Item" in answer else None

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        """See `BlockLog.read`. Reads page by page, as the caller goes on."""
        if last is not None and last < first:
            return
        condition = "machine = :machine AND #number >= :first"
        values: dict[str, AttributeValueTypeDef] = {
            ":machine": {"S": machine},
            ":first": {"N": str(first)},
        }
        if last is not None:
            condition = "machine = :machine AND #number BETWEEN :first AND :last"
            values[":last"] = {"N": str(last)}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        try:
            for page in pages:
                yield from map(self._block, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", machine, first, error) from error

    def expire(self, machine: str, first: int, last: int, time: int) -> None:
        """See `BlockLog.expire`. The table's time to live deletes them, in no order.

        Needs ``dynamodb:UpdateItem``, and writes each item's size once more.
        """
        expires = str(-(-time // 1000))
        with ThreadPoolExecutor(LANES) as lanes:
            for _ in lanes.map(
                lambda number: self._mark(machine, number, expires), range(first, last + 1)
            ):
                pass

    def _mark(self, machine: str, number: int, expires: str) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"machine": {"S": machine}, "number": {"N": str(number)}},
                UpdateExpression="SET expires = :expires",
                ConditionExpression="attribute_exists(#number)",
                ExpressionAttributeNames={"#number": "number"},
                ExpressionAttributeValues={":expires": {"N": expires}},
            )
        except (ClientError, BotoCoreError) as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise self._failed("mark", machine, number, error) from error

    def _block(self, item: dict[str, AttributeValueTypeDef]) -> Block:
        return from_item(item, self._bodies)

    def _failed(self, verb: str, machine: str, number: int, error: Exception) -> Exception:
        return unavailable(
            f"could not {verb} block {number} of machine {machine!r} in {self._table}", error
        )
