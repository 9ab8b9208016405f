"""A bare emulator for tests: no stack, a folder of its own, gone when the session ends.

Import the fixture in a conftest: ``from tests.emulator import emulator``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from blockfold.local import emulator as process
from blockfold.local import interpreter
from blockfold.local.clients import ACCESS_KEY, SECRET_KEY
from blockfold.local.folder import DataFolder
from blockfold.local.network import REGION, free_port


@dataclass(frozen=True)
class BareEmulator:
    """Where it answers, and with which credentials."""

    endpoint: str
    region: str = REGION
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    def client_arguments(self) -> dict[str, str]:
        """Keyword arguments for ``boto3.client`` and ``boto3.resource``."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }


@contextmanager
def running(data: Path) -> Iterator[BareEmulator]:
    """An emulator with its data in `data`, killed at the end."""
    python = interpreter.ensure(print)
    found = process.start(python, DataFolder(data.resolve()), port=free_port())
    try:
        yield BareEmulator(found.endpoint)
    finally:
        process.destroy(found)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareEmulator]:
    """One emulator for the whole session; tests make resources with names of their own."""
    with running(tmp_path_factory.mktemp("emulator")) as found:
        yield found
