"""AWS clients for the emulator: explicit endpoint and keys, nothing from the caller's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import boto3
from botocore.config import Config

from blockfold.local.network import REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "local"
SECRET_KEY = "local"  # noqa: S105 - the emulator takes any


class _Arguments(TypedDict):
    endpoint_url: str
    aws_access_key_id: str
    aws_secret_access_key: str
    region_name: str
    config: Config


def _arguments(endpoint: str) -> _Arguments:
    return _Arguments(
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        config=Config(
            proxies={},
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 3},
            s3={"addressing_style": "path"},
        ),
    )


def cloudformation(endpoint: str) -> CloudFormationClient:
    """A client of CloudFormation."""
    return boto3.Session().client("cloudformation", **_arguments(endpoint))


def s3(endpoint: str) -> S3Client:
    """A client of S3."""
    return boto3.Session().client("s3", **_arguments(endpoint))


def put_parameter(endpoint: str, name: str, value: str) -> None:
    """Write an SSM parameter."""
    client = boto3.Session().client("ssm", **_arguments(endpoint))
    client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
