"""What AWS refuses becomes an error of ours that says what was attempted and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from blockfold.adapters.clients import Clients
from blockfold.bootstrap import Adapters
from blockfold.domain.block import Head
from blockfold.domain.canonical import encode
from blockfold.domain.errors import BlockfoldError, Misconfigured, NotFound, Unavailable
from blockfold.domain.schedule import OFF
from blockfold.local.network import free_port
from blockfold.ports import MachineRecord, Write
from blockfold.settings import Settings
from tests.contracts.samples import block_after, noise

MACHINE = "m"
RECORD = MachineRecord(MACHINE)
SETTINGS = Settings(
    blocks_table="Blocks",
    state_table="State",
    machines_table="Machines",
    snapshots_bucket="bucket",
)
SMALL = block_after(Head(machine=MACHINE))
LARGE = block_after(Head(machine=MACHINE), noise(40_000))

Call = Callable[[Adapters], object]

CALLS: dict[str, tuple[str, Call]] = {
    "append": ("commit block 1", lambda on: on.log.append(SMALL)),
    "head": ("read the head", lambda on: on.log.head(MACHINE)),
    "get block": ("read block 3", lambda on: on.log.get(MACHINE, 3)),
    "read": ("read block 2", lambda on: list(on.log.read(MACHINE, 2))),
    "get rows": ("read", lambda on: on.table.get(MACHINE, ["k"])),
    "scan": ("scan", lambda on: list(on.table.scan(MACHINE, "p"))),
    "update": ("write", lambda on: on.table.write(MACHINE, [Write("k", encode(1), 1)])),
    "insert": ("write", lambda on: on.table.write(MACHINE, [Write("k", None, 1, True)])),
    "register": ("register machine", lambda on: on.machines.register(MACHINE)),
    "get record": ("read machine", lambda on: on.machines.get(MACHINE)),
    "raise flushed": (
        "update machine",
        lambda on: on.machines.raise_watermark(MACHINE, "flushed", 1),
    ),
    "note snapshot": (
        "update machine",
        lambda on: on.machines.note_snapshot(RECORD.machine, 1, 1),
    ),
    "raise dumped": ("update machine", lambda on: on.machines.raise_dumped(RECORD, 1)),
    "set schedule": ("update machine", lambda on: on.machines.set_schedule(RECORD, OFF)),
    "list machines": ("list", lambda on: list(on.machines.list())),
    "spill": ("store s3://", lambda on: on.log.append(LARGE)),
    "put object": ("store s3://", lambda on: on.objects.put_new("k", b"")),
    "get object": ("read s3://", lambda on: on.objects.get("k")),
    "list objects": ("list s3://", lambda on: list(on.objects.list("k"))),
}

calls = pytest.mark.parametrize(("attempt", "call"), CALLS.values(), ids=CALLS)


def error_of(call: Call, adapters: Adapters) -> BlockfoldError:
    with pytest.raises(BlockfoldError) as caught:
        call(adapters)
    return caught.value


class TestMissing:
    @pytest.fixture
    def gone(self, ministack: Adapters) -> Adapters:
        """A stack that was never deployed here."""
        nowhere = replace(
            ministack.settings,
            blocks_table="NoBlocks",
            state_table="NoState",
            machines_table="NoMachines",
            snapshots_bucket="no-such-bucket",
        )
        return Adapters(nowhere, ministack.clients)

    @calls
    def test_is_not_found(self, gone: Adapters, attempt: str, call: Call) -> None:
        error = error_of(call, gone)
        assert type(error) is NotFound
        assert attempt in error.message
        assert "is the stack deployed" in error.hint
        assert any(name in error.message for name in ("NoBlocks", "NoState", "NoM", "no-such"))


DENIALS = [
    ("AccessDeniedException", "AccessDenied", "lacks this permission"),
    ("UnrecognizedClientException", "InvalidAccessKeyId", "credentials are not valid"),
    ("InvalidSignatureException", "SignatureDoesNotMatch", "credentials are not valid"),
    ("ExpiredTokenException", "ExpiredToken", "credentials have expired"),
]
"""What DynamoDB and S3 call it, and our hint."""


class Body(BytesIO):
    """As urllib3 gives a body to botocore."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def elsewhere(endpoint: str, key: str | None = "x") -> Clients:
    session = boto3.Session(
        aws_access_key_id=key, aws_secret_access_key=key, region_name="eu-west-1"
    )
    return Clients(session, endpoint)


@cache
def refusing(dynamodb: str, s3: str) -> Adapters:
    """Every request is answered as AWS words a refusal, without being sent."""
    coral = json.dumps(
        {"__type": f"com.amazon.coral.service#{dynamodb}", "Message": "User: x is not authorized"}
    )
    xml = f"<Error><Code>{s3}</Code><Message>User: x is not authorized</Message></Error>"

    def answer(status: int, text: str) -> Any:
        return lambda request, **_: AWSResponse(
            request.url, status, HTTPHeaders(), Body(text.encode())
        )

    clients = elsewhere("http://127.0.0.1:9")
    clients.dynamodb.meta.events.register("before-send", answer(400, coral))
    clients.s3.meta.events.register("before-send", answer(403, xml))
    return Adapters(SETTINGS, clients)


@cache
def unreachable() -> Adapters:
    """Nothing listens where the endpoint should be."""
    clients = elsewhere(f"http://127.0.0.1:{free_port()}")
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    clients._config = clients._config.merge(once)
    return Adapters(SETTINGS, clients)


@cache
def signed_out() -> Adapters:
    """There are no credentials anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        clients = elsewhere("http://127.0.0.1:9", None)
        assert clients.dynamodb
        assert clients.s3
    return Adapters(SETTINGS, clients)


class TestRefused:
    @calls
    @pytest.mark.parametrize(("dynamodb", "s3", "hint"), DENIALS)
    def test_is_misconfigured_and_says_whose_fault_it_is(
        self, attempt: str, call: Call, dynamodb: str, s3: str, hint: str
    ) -> None:
        error = error_of(call, refusing(dynamodb, s3))
        assert type(error) is Misconfigured
        assert attempt in error.message
        assert "User: x is not authorized" in error.message
        assert hint in error.hint


class TestUnreachable:
    @calls
    def test_is_unavailable(self, attempt: str, call: Call) -> None:
        error = error_of(call, unreachable())
        assert type(error) is Unavailable
        assert attempt in error.message
        assert "Could not connect" in error.message


class TestSignedOut:
    @calls
    def test_is_misconfigured(self, attempt: str, call: Call) -> None:
        error = error_of(call, signed_out())
        assert type(error) is Misconfigured
        assert attempt in error.message
        assert "sign in" in error.hint
