"""A bucket by itself: made if missing, and its objects up and down.

Needs ``s3:ListBucket``, ``s3:GetObject``, ``s3:PutObject`` and ``s3:DeleteObject``; to make the
bucket, ``s3:CreateBucket`` and ``s3:PutBucketPublicAccessBlock``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import bucket_error, code_of
from blockfold.domain.errors import BlockfoldError, BucketMissing, Refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType

_US_EAST_1 = "us-east-1"
"""The one region that S3 does not take as a LocationConstraint."""

_ABSENT = {"404", "NoSuchKey"}


class S3Bucket:
    """A bucket. What is missing is None or False; every error is raised.

    Args:
        client: A boto3 S3 client.
        name: The bucket's name.
    """

    def __init__(self, client: S3Client, name: str) -> None:
        self._client = client
        self.name = name

    def exists(self) -> bool:
        """Whether there is such a bucket, and it may be used.

        Asks for a listing, which needs what HeadBucket needs, and whose refusal says why.

        Raises:
            AccessDenied: There is one, and it is somebody else's.
            Misconfigured: It is in another region, or the credentials are not valid.
            Unavailable: The service did not answer.
        """
        try:
            self._client.list_objects_v2(Bucket=self.name, MaxKeys=1)
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                return False
            raise self._failed("look up", "", error) from error
        except BotoCoreError as error:
            raise self._failed("look up", "", error) from error
        return True

    def ensure(self) -> bool:
        """Make the bucket unless it is there; whether it was made.

        On AWS public access is blocked, and objects are encrypted, as AWS does by itself.

        Raises:
            Refused: Somebody else has a bucket of that name.
            AccessDenied: It may not be made, or is somebody else's.
            Misconfigured: It is in another region, or the credentials are not valid.
            Unavailable: The service did not answer.
        """
        if self.exists():
            return False
        try:
            made = self._create()
            if made and _is_aws(self._client):
                self._block_public_access()
        except (ClientError, BotoCoreError) as error:
            raise self._failed("make", "", error) from error
        return made

    def object_exists(self, key: str) -> bool:
        """Whether there is an object of that key: False only if the service says so.

        Raises:
            AccessDenied: The service does not tell.
            Unavailable: It did not answer.
        """
        try:
            self._client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if code_of(error) in _ABSENT:
                return False
            raise self._failed("look up", key, error) from error
        except BotoCoreError as error:
            raise self._failed("look up", key, error) from error
        return True

    def upload(self, key: str, data: bytes) -> None:
        """Store an object, also where another stands.

        Raises:
            BucketMissing: There is no such bucket.
        """
        try:
            self._client.put_object(Bucket=self.name, Key=key, Body=data)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("store", key, error) from error

    def download(self, key: str) -> bytes | None:
        """An object's bytes; None if there is none.

        Raises:
            BucketMissing: There is no such bucket.
        """
        try:
            return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except ClientError as error:
            if code_of(error) in _ABSENT:
                return None
            raise self._failed("read", key, error) from error
        except BotoCoreError as error:
            raise self._failed("read", key, error) from error

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error.

        Raises:
            BucketMissing: There is no such bucket.
        """
        try:
            self._client.delete_object(Bucket=self.name, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("delete", key, error) from error

    def check(self) -> None:
        """Make sure that the bucket is there.

        Raises:
            BucketMissing: It is not.
        """
        if not self.exists():
            raise BucketMissing(
                f"there is no bucket {self.name}", hint="create it, or have it made: create=True"
            )

    def _create(self) -> bool:
        region = self._client.meta.region_name
        try:
            if region in {"", _US_EAST_1, "aws-global"}:
                self._client.create_bucket(Bucket=self.name)
            else:
                place: BucketLocationConstraintType = region  # type: ignore[assignment]
                self._client.create_bucket(
                    Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": place}
                )
        except ClientError as error:
            if code_of(error) == "BucketAlreadyOwnedByYou":
                return False
            if code_of(error) == "BucketAlreadyExists":
                raise Refused(
                    f"could not make s3://{self.name}: somebody else has a bucket of that name",
                    hint="all accounts share the names: choose another",
                ) from error
            raise
        return True

    def _block_public_access(self) -> None:
        self._client.put_public_access_block(
            Bucket=self.name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )

    def _failed(self, verb: str, key: str, error: Exception) -> BlockfoldError:
        return bucket_error(f"could not {verb} s3://{self.name}/{key}".rstrip("/"), error)


def _is_aws(client: S3Client) -> bool:
    """Whether a client speaks with AWS, not with a service that only speaks like it."""
    host = client.meta.endpoint_url.partition("://")[2].partition("/")[0].partition(":")[0]
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
