"""Objects in S3.

Needs ``s3:PutObject`` and ``s3:GetObject`` on the keys used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import code_of, unavailable
from blockfold.domain.errors import BlockfoldError, Unavailable
from blockfold.ports import Stored

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETE_BATCH = 1000
"""The most keys of one DeleteObjects."""

PUT_ATTEMPTS = 5
"""A write that meets another to the same key at the same moment answers 409 and wants a retry."""


class S3ObjectStore:
    """An `ObjectStore` in one bucket.

    Args:
        client: Gives a boto3 S3 client; first called when an object is read or written.
        bucket: The bucket's name; it must exist.
        translate: Gives our error for what was attempted and what boto raised.
    """

    def __init__(
        self,
        client: Callable[[], S3Client],
        bucket: str,
        *,
        translate: Callable[[str, Exception], BlockfoldError] = unavailable,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._translate = translate

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

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        try:
            found = self._client().head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchKey"}:
                return None
            raise self._failed("look up", key, error) from error
        except BotoCoreError as error:
            raise self._failed("look up", key, error) from error
        return Stored(key, found["ContentLength"], _milliseconds(found["LastModified"]))

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`. Needs ``s3:ListBucket``."""
        pages = (
            self._client()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, Prefix=prefix)
        )
        try:
            for page in pages:
                for found in page.get("Contents", []):
                    modified = _milliseconds(found["LastModified"])
                    yield Stored(found["Key"], found["Size"], modified)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("list", prefix, error) from error

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        pages = (
            self._client()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        )
        try:
            for page in pages:
                for found in page.get("CommonPrefixes", []):
                    yield found["Prefix"].removeprefix(prefix).removesuffix("/")
        except (ClientError, BotoCoreError) as error:
            raise self._failed("list", prefix, error) from error

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace`."""
        try:
            self._client().put_object(Bucket=self._bucket, Key=key, Body=data)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("store", key, error) from error

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore.delete`. Needs ``s3:DeleteObject``."""
        waiting = iter(keys)
        while batch := [*islice(waiting, DELETE_BATCH)]:
            try:
                answer = self._client().delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            except (ClientError, BotoCoreError) as error:
                raise self._failed("delete", batch[0], error) from error
            for failure in answer.get("Errors", []):
                raise Unavailable(
                    f"could not delete s3://{self._bucket}/{failure.get('Key')}: "
                    f"{failure.get('Code')} {failure.get('Message')}"
                )

    def _failed(self, verb: str, key: str, error: Exception) -> BlockfoldError:
        return self._translate(f"could not {verb} s3://{self._bucket}/{key}", error)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
