"""File assets, published to the buckets that the template names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from blockfold.local.archives import zipped
from blockfold.local.assembly import FileAsset
from blockfold.local.network import REGION
from blockfold.local.savepoint import ACCOUNT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CODE_KEY = re.compile(r"[0-9a-f]{64}\.zip")


def publish(s3: S3Client, assets: tuple[FileAsset, ...], report: Callable[[str], None]) -> None:
    """Put every asset that is not there yet where the template expects it."""
    for asset in assets:
        bucket = asset.bucket_in(ACCOUNT, REGION)
        make_bucket(s3, bucket)
        if _exists(s3, bucket, asset.key):
            continue
        report(f"publishing {asset.source.name}")
        body = zipped(asset.source) if asset.is_folder else asset.source.read_bytes()
        s3.put_object(Bucket=bucket, Key=asset.key, Body=body)


def prune(s3: S3Client, assets: tuple[FileAsset, ...]) -> None:
    """Delete code that no deployed stack can ask for any more, to keep the data folder small.

    A deployed function has its own copy of its code, and `publish` puts back what is missing, so
    only what `assets` name is kept.
    """
    kept = {asset.key for asset in assets}
    for bucket in sorted({asset.bucket_in(ACCOUNT, REGION) for asset in assets}):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for key in {entry["Key"] for entry in page.get("Contents", [])} - kept:
                if CODE_KEY.fullmatch(key):
                    s3.delete_object(Bucket=bucket, Key=key)


def make_bucket(s3: S3Client, bucket: str) -> None:
    """Create `bucket` unless it exists."""
    try:
        s3.create_bucket(Bucket=bucket)  # the emulator's region is us-east-1: no constraint
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        return


def _exists(s3: S3Client, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NotFound"}:
            return False
        raise
    return True
