"""The server that all contenders share: an emulator, or a DynamoDB Local for the tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from bench.restore import clients_of, emulated
from blockfold.adapters.clients import Clients
from blockfold.local.network import REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeDefinitionTypeDef, KeySchemaElementTypeDef

BUCKET = "bench"
LOCAL = "BLOCKFOLD_DYNAMODB_LOCAL"
"""Names the endpoint of a DynamoDB Local, which then keeps the tables."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table is made.

    Attributes:
        hash: Its partition key, a string.
        range: Its sort key and that one's type, or None.
        index: Partition and sort key, both strings, of a keys-only index; none if empty.
    """

    hash: str
    range: tuple[str, str] | None = None
    index: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the key attributes."""
        return (self.hash,) if self.range is None else (self.hash, self.range[0])


OURS: Mapping[str, Shape] = {
    "blocks": Shape("machine", ("number", "N")),
    "state": Shape("machine", ("key", "S")),
    "machines": Shape("machine"),
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where everything is.

    Attributes:
        tables: Endpoint of DynamoDB.
        others: Endpoint of S3 and SQS.
    """

    tables: str
    others: str

    @property
    def name(self) -> str:
        """What keeps the tables."""
        return "ministack" if self.tables == self.others else "DynamoDB Local"

    def clients(self) -> Clients:
        """AWS clients, those of DynamoDB for its own endpoint."""
        clients = clients_of(self.others)
        vars(clients)["dynamodb"] = clients_of(self.tables).dynamodb
        return clients

    @contextmanager
    def with_tables(self, shapes: Mapping[str, Shape]) -> Iterator[dict[str, str]]:
        """New tables, gone at the end: kind → name."""
        names = {kind: f"{kind}-{uuid4().hex[:8]}" for kind in shapes}
        client = self.clients().dynamodb
        for kind, shape in shapes.items():
            roles: list[KeySchemaElementTypeDef] = [
                {"AttributeName": shape.hash, "KeyType": "HASH"}
            ]
            types: list[AttributeDefinitionTypeDef] = [
                {"AttributeName": name, "AttributeType": "S"} for name in (shape.hash, *shape.index)
            ]
            if shape.range is not None:
                name, type_ = shape.range
                roles.append({"AttributeName": name, "KeyType": "RANGE"})
                types.append({"AttributeName": name, "AttributeType": type_})  # type: ignore[typeddict-item]
            client.create_table(
                TableName=names[kind],
                BillingMode="PAY_PER_REQUEST",
                KeySchema=roles,
                AttributeDefinitions=types,
                **_index(shape),  # type: ignore[arg-type]
            )
        try:
            yield names
        finally:
            for name in names.values():
                client.delete_table(TableName=name)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server with a bucket, stopped at the end."""
    with emulated(folder) as endpoint:
        clients_of(endpoint).s3.create_bucket(Bucket=BUCKET)
        yield Server(os.environ.get(LOCAL) or endpoint, endpoint)


def environment() -> dict[str, str]:
    """What AWS clients of peers read: keys, region, and nothing else of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return {**kept, **keys, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}


def _index(shape: Shape) -> dict[str, object]:
    if not shape.index:
        return {}
    roles = zip(shape.index, ("HASH", "RANGE"), strict=True)
    return {
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "initialEvents",
                "KeySchema": [{"AttributeName": name, "KeyType": role} for name, role in roles],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ]
    }
