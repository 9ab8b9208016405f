"""Bring an assembly up in the emulator: publish its assets, create or update its stack."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.local import clients
from blockfold.local.assembly import Assembly
from blockfold.local.assets import make_bucket, prune, publish
from blockfold.local.errors import DeploymentError
from blockfold.local.network import REGION
from blockfold.local.savepoint import ACCOUNT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

DEPLOY_SECONDS = 120.0
POLL_SECONDS = 0.1
INLINE_TEMPLATE_BYTES = 51_200
BOOTSTRAP_PREFIX = "/cdk-bootstrap/"
BOOTSTRAP_VERSION = "30"  # the CDK refuses a version below 6
NEVER_CREATED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"}
SUCCESS = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
CAPABILITIES: list[Literal["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]] = [
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
]


class _Template(TypedDict, total=False):
    TemplateBody: str
    TemplateURL: str


def deploy(endpoint: str, assembly: Assembly, report: Callable[[str], None]) -> dict[str, str]:
    """Create the stack of `assembly`, or update it in place; returns its outputs.

    Data in tables, queues and buckets that the update does not replace stays. Deploying what is
    there already changes nothing.

    Raises:
        DeploymentError: A resource failed; names it with CloudFormation's reason.
    """
    try:
        s3 = clients.s3(endpoint)
        publish(s3, assembly.assets, report)
        for name in _bootstrap_parameters(assembly.template):
            clients.put_parameter(endpoint, name, BOOTSTRAP_VERSION)
        cloudformation = clients.cloudformation(endpoint)
        _converge(cloudformation, s3, assembly, report)
        prune(s3, assembly.assets)
        return _outputs(cloudformation, assembly.stack)
    except (ClientError, BotoCoreError) as error:
        raise DeploymentError(
            f"deploying stack {assembly.stack} to {endpoint} failed: {error}",
            hint="look at the emulator's log, then try again; --fresh starts over",
        ) from error


def outputs(endpoint: str, stack: str) -> dict[str, str] | None:
    """The outputs of `stack` as it runs at `endpoint`; None when it does not exist there."""
    cloudformation = clients.cloudformation(endpoint)
    if _status(cloudformation, stack) is None:
        return None
    return _outputs(cloudformation, stack)


def _bootstrap_parameters(template: str) -> list[str]:
    """SSM parameters of a bootstrapped account that the template reads."""
    parameters = json.loads(template).get("Parameters", {})
    defaults = [str(entry.get("Default", "")) for entry in parameters.values()]
    return [name for name in defaults if name.startswith(BOOTSTRAP_PREFIX)]


def _converge(
    cloudformation: CloudFormationClient,
    s3: S3Client,
    assembly: Assembly,
    report: Callable[[str], None],
) -> None:
    stack = assembly.stack
    status = _settled(cloudformation, stack)
    if status in NEVER_CREATED or (status or "").startswith("DELETE_FAILED"):
        report(f"removing what is left of a failed stack {stack}")
        cloudformation.delete_stack(StackName=stack)
        status = _settled(cloudformation, stack)
    begin = time.time()
    template = _template(s3, assembly)
    if status is None:
        report(f"creating stack {stack}")
        cloudformation.create_stack(StackName=stack, Capabilities=CAPABILITIES, **template)
    else:
        try:
            cloudformation.update_stack(StackName=stack, Capabilities=CAPABILITIES, **template)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise
        report(f"updating stack {stack}")
    status = _settled(cloudformation, stack)
    if status not in SUCCESS:
        raise DeploymentError(
            f"stack {stack} ended as {status or 'deleted'}: "
            f"{_reasons(cloudformation, stack, begin)}",
            hint="mend the resource and run up again; --fresh starts over",
        )


def _template(s3: S3Client, assembly: Assembly) -> _Template:
    """The template inline, or in S3 when CloudFormation would refuse it inline."""
    body = assembly.template.encode()
    if len(body) <= INLINE_TEMPLATE_BYTES:
        return {"TemplateBody": assembly.template}
    bucket = f"blockfold-templates-{ACCOUNT}-{REGION}"
    key = f"{hashlib.sha256(body).hexdigest()}.json"
    make_bucket(s3, bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}"}


def _status(cloudformation: CloudFormationClient, stack: str) -> str | None:
    """The stack's status; None when there is no such stack."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = str(found[0]["StackStatus"]) if found else None
    return None if status == "DELETE_COMPLETE" else status


def _settled(cloudformation: CloudFormationClient, stack: str) -> str | None:
    """The status once nothing is in progress any more."""
    deadline = time.monotonic() + DEPLOY_SECONDS
    while True:
        status = _status(cloudformation, stack)
        if status is None or not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
            return status
        if time.monotonic() >= deadline:
            raise DeploymentError(
                f"stack {stack} is still {status} after {DEPLOY_SECONDS:.0f} s",
                hint="look at the emulator's log; --fresh starts over",
            )
        time.sleep(POLL_SECONDS)


def _reasons(cloudformation: CloudFormationClient, stack: str, begin: float) -> str:
    """What failed since `begin`, the first failure first."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [
        f"{event.get('LogicalResourceId')} ({event.get('ResourceType')}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if str(event.get("ResourceStatus", "")).endswith("FAILED")
        and event["Timestamp"].timestamp() >= begin - 1
    ]
    return "; ".join(failed) or "no event says why"


def _outputs(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {
        output["OutputKey"]: output["OutputValue"]
        for output in found.get("Outputs", [])
        if "OutputKey" in output and "OutputValue" in output
    }
