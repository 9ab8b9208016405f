"""A stack's tables and bucket without the stack, with the stack's key schema."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import boto3

from blockfold.adapters.clients import Clients
from blockfold.settings import Settings
from tests.emulator import BareEmulator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.literals import ScalarAttributeTypeType

_SORT_KEYS: dict[str, Sequence[tuple[str, ScalarAttributeTypeType]]] = {
    "Blocks": [("number", "N")],
    "State": [("key", "S")],
    "Machines": [],
}


def clients_of(emulator: BareEmulator) -> Clients:
    """The product's own clients on the emulator."""
    session = boto3.Session(
        aws_access_key_id=emulator.access_key,
        aws_secret_access_key=emulator.secret_key,
        region_name=emulator.region,
    )
    return Clients(session, emulator.endpoint)


def make(clients: Clients, machine: str = "") -> Settings:
    """New tables and a new bucket, under names that nobody else has."""
    suffix = uuid.uuid4().hex[:12]
    for kind, sort_keys in _SORT_KEYS.items():
        keys = [("machine", "S"), *sort_keys]
        clients.dynamodb.create_table(
            TableName=f"{kind}-{suffix}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": type_} for name, type_ in keys
            ],
            KeySchema=[
                {"AttributeName": name, "KeyType": "HASH" if name == "machine" else "RANGE"}
                for name, _ in keys
            ],
        )
    clients.dynamodb.update_time_to_live(
        TableName=f"State-{suffix}",
        TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
    )
    clients.s3.create_bucket(Bucket=f"bucket-{suffix}")
    return Settings(
        blocks_table=f"Blocks-{suffix}",
        state_table=f"State-{suffix}",
        machines_table=f"Machines-{suffix}",
        snapshots_bucket=f"bucket-{suffix}",
        machine=machine,
    )
