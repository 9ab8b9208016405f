"""Objects in S3.

Needs ``s3:PutObject`` and ``s3:GetObject`` on the keys used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import code_of, unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUT_ATTEMPTS = 5
"""A write that meets another to the same key at the same moment answers 409 and wants a retry."""


class S3ObjectStore:
    """An `ObjectStore` in one bucket.

    Args:
        client: Gives a boto3 S3 client; first called when an object is read or written.
        bucket: The bucket's name; it must exist.
    """

    def __init__(self, client: Callable[[], S3Client], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        for attempt in range(PUT_ATTEMPTS):
            try:
                self._client().put_object(Bucket=self._bucket, Key=key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                code = code_of(error)
                if code == "PreconditionFailed":
                    return False
                if code != "ConditionalRequestConflict" or attempt == PUT_ATTEMPTS - 1:
                    raise self._failed("store", key, error) from error
            except BotoCoreError as error:
                raise self._failed("store", key, error) from error
            else:
                return True
        raise AssertionError("the loop above ends by return or raise")

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        try:
            return self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise self._failed("read", key, error) from error
        except BotoCoreError as error:
            raise self._failed("read", key, error) from error

    def list(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.list`. Needs ``s3:ListBucket``."""
        pages = (
            self._client()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, Prefix=prefix)
        )
        try:
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", []))
        except (ClientError, BotoCoreError) as error:
            raise self._failed("list", prefix, error) from error

    def _failed(self, verb: str, key: str, error: Exception) -> Exception:
        return unavailable(f"could not {verb} s3://{self._bucket}/{key}", error)
