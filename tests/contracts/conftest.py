"""The stores that each contract is held against: memory, the emulator, and moto."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from blockfold.adapters.clients import Clients
from blockfold.bootstrap import Adapters
from tests.contracts import resources
from tests.emulator import BareEmulator


@pytest.fixture(scope="class")
def ministack(emulator: BareEmulator) -> Adapters:
    """The product's wiring on new tables in the emulator."""
    clients = resources.clients_of(emulator)
    return Adapters(resources.make(clients), clients)


@pytest.fixture(scope="class")
def moto() -> Iterator[Adapters]:
    """The product's wiring on moto, which is right about one thread's answers and errors."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        session = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
        )
        clients = Clients(session)
        yield Adapters(resources.make(clients), clients)
