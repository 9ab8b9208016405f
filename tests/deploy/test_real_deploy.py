"""docs/deploy.md, carried out by the pinned CDK CLI against an emulator in place of an account."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emulator import BareEmulator, running

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PATIENCE = 30.0
STACK = "Orchard"
MACHINE = "grove"


@dataclass(frozen=True)
class Account:
    """An emulator with the CLI pointed at it."""

    emulator: BareEmulator
    folder: Path

    def client(self, service: str) -> Any:
        """A boto3 client."""
        session: Any = boto3.Session()
        return session.client(service, **self.emulator.client_arguments())

    def cdk(self, verb: str, *arguments: str) -> str:
        """Run the CDK CLI in the project, as `make deploy` does; what it said."""
        done = subprocess.run(
            [BIN / "npx", "--yes", cli(), verb, *arguments],
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def deploy(self, **context: object) -> dict[str, str]:
        """Deploy the stack; its outputs."""
        file = self.folder / "outputs.json"
        quiet = ("--require-approval", "never", "--progress", "events")
        said = self.cdk("deploy", *self._app(**context), *quiet, "--outputs-file", str(file))
        assert "feature flags are not configured" not in said
        outputs: dict[str, str] = json.loads(file.read_text())[STACK]
        return outputs

    def destroy(self) -> None:
        """Destroy the stack."""
        self.cdk("destroy", *self._app(), "--force")

    def _app(self, **context: object) -> list[str]:
        """Which stack, made of what, written where."""
        chosen = {"stack": STACK, "platform": "host", **context}
        arguments = [word for key, value in chosen.items() for word in ("-c", f"{key}={value}")]
        return [*arguments, "--output", str(self.folder / "cdk.out")]

    def _environment(self) -> dict[str, str]:
        """The caller's, but for what would lead the CLI elsewhere."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CDK_", "JSII_"))}
        return {
            **kept,
            "PATH": f"{BIN}{os.pathsep}{os.defpath}",
            "CDK_HOME": str(self.folder / "home"),
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_REGION": self.emulator.region,
            "AWS_ACCESS_KEY_ID": self.emulator.access_key,
            "AWS_SECRET_ACCESS_KEY": self.emulator.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "CI": "true",
        }


def cli() -> str:
    """The CLI that the Makefile pins."""
    (pinned,) = set(re.findall(r"aws-cdk@[0-9.]+", (ROOT / "Makefile").read_text()))
    return pinned


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with running(tmp_path / "emulator") as emulator:
        yield Account(emulator, tmp_path)


def plant(account: Account, outputs: dict[str, str], tree: str) -> None:
    """Queue an action and wait until the state table shows it."""
    body = {"type": "plant", "args": {"tree": tree, "species": "oak"}}
    account.client("sqs").send_message(
        QueueUrl=outputs["ActionsQueueUrl"],
        MessageBody=json.dumps(body),
        MessageGroupId=MACHINE,
        MessageDeduplicationId=tree,
    )
    eventually(lambda: any(tree in key for key in keys(account, outputs)))


def keys(account: Account, outputs: dict[str, str]) -> list[str]:
    """The keys of the machine's state as the table has them."""
    items = account.client("dynamodb").query(
        TableName=outputs["StateTableName"],
        KeyConditionExpression="machine = :machine",
        ExpressionAttributeValues={":machine": {"S": MACHINE}},
        ConsistentRead=True,
    )["Items"]
    return [item["key"]["S"] for item in items]


def blocks(account: Account, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """The machine's log as the table has it."""
    items: list[dict[str, Any]] = account.client("dynamodb").query(
        TableName=outputs["BlocksTableName"],
        KeyConditionExpression="machine = :machine",
        ExpressionAttributeValues={":machine": {"S": MACHINE}},
        ConsistentRead=True,
    )["Items"]
    return items


def eventually(check: Callable[[], bool]) -> None:
    """Wait until `check` holds."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def counts(account: Account, outputs: dict[str, str]) -> set[str]:
    """The count that the functions are told."""
    functions = account.client("lambda")
    return {
        functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"][
            "BLOCKFOLD_COUNT"
        ]
        for output, name in outputs.items()
        if output.endswith("FunctionName")
    }


def empty(account: Account, bucket: str) -> None:
    """Delete all objects, as docs/deploy.md says to do before `destroy`."""
    s3 = account.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=found["Key"])


@pytest.mark.timeout(600)  # the first time, npm downloads the CLI and pip the wheels
def test_bootstrap_deploy_work_deploy_again_destroy(account: Account) -> None:
    account.cdk("bootstrap", "--output", str(account.folder / "bootstrap"))

    outputs = account.deploy()
    assert counts(account, outputs) == {"100"}
    plant(account, outputs, "first")
    (block,) = blocks(account, outputs)

    assert account.deploy(count=25) == outputs
    assert counts(account, outputs) == {"25"}
    assert blocks(account, outputs) == [block]
    plant(account, outputs, "second")
    assert len(keys(account, outputs)) == 2

    empty(account, outputs["SnapshotsBucketName"])
    account.destroy()
    with pytest.raises(ClientError, match="does not exist"):
        account.client("cloudformation").describe_stacks(StackName=STACK)
    assert not set(outputs.values()) & set(account.client("dynamodb").list_tables()["TableNames"])
    assert not account.client("events").list_event_buses(NamePrefix=STACK)["EventBuses"]


def test_the_documentation_names_the_same_cli() -> None:
    named = re.findall(r"aws-cdk@[0-9.]+", (ROOT / "docs" / "deploy.md").read_text())
    assert set(named) == {cli()}
