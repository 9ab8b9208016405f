"""The register of machines in DynamoDB.

Needs ``dynamodb:GetItem`` and ``dynamodb:UpdateItem``; listing needs ``dynamodb:Scan``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import code_of, unavailable
from blockfold.ports import MachineRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class DynamoMachines:
    """A `Machines` register: one item a machine.

    Args:
        client: A boto3 DynamoDB client.
        table: Name of the Machines table.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def register(self, machine: str) -> MachineRecord:
        """See `Machines.register`."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"machine": {"S": machine}},
                UpdateExpression="SET flushed = if_not_exists(flushed, :none)",
                ExpressionAttributeValues={":none": {"N": "0"}},
                ReturnValues="ALL_NEW",
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("register", machine, error) from error
        return _record(answer["Attributes"])

    def get(self, machine: str) -> MachineRecord | None:
        """See `Machines.get`."""
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"machine": {"S": machine}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", machine, error) from error
        return _record(answer["Item"]) if "Item" in answer else None

    def raise_flushed(self, machine: str, number: int) -> None:
        """See `Machines.raise_flushed`."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"machine": {"S": machine}},
                UpdateExpression="SET flushed = :number",
                ConditionExpression="attribute_not_exists(flushed) OR flushed < :number",
                ExpressionAttributeValues={":number": {"N": str(number)}},
            )
        except (ClientError, BotoCoreError) as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise self._failed("update", machine, error) from error

    def list(self) -> Iterator[MachineRecord]:
        """See `Machines.list`."""
        try:
            for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                yield from map(_record, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not list the machines in {self._table}", error) from error

    def _failed(self, verb: str, machine: str, error: Exception) -> Exception:
        return unavailable(f"could not {verb} machine {machine!r} in {self._table}", error)


def _record(item: dict[str, AttributeValueTypeDef]) -> MachineRecord:
    return MachineRecord(item["machine"]["S"], int(item.get("flushed", {"N": "0"})["N"]))
