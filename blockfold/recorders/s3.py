"""Recording in a bucket, in the layout of a stack's: S3, or a service that speaks like it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError

from blockfold.adapters.aws import bucket_error
from blockfold.adapters.bucket import S3Bucket
from blockfold.adapters.clients import Clients
from blockfold.adapters.prefixed import PrefixedObjectStore
from blockfold.adapters.s3 import S3ObjectStore
from blockfold.domain.errors import Misconfigured
from blockfold.ports import ObjectStore
from blockfold.recorders.object_recorder import ObjectRecorder
from blockfold.recorders.quiet import SECONDS, TimedClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Recorder(ObjectRecorder):
    """Keeps log and snapshots in a bucket. Many machines may share it.

    The service must know conditional writes (``If-None-Match``), as S3 and MinIO do. Nothing is
    asked of it before the first frame, or the first snapshot that is loaded.

    Args:
        bucket: The bucket's name.
        machine: The machine's id.
        prefix: What all keys begin with; a stack reads buckets without one.
        endpoint: URL of the service; by the usual AWS configuration if None.
        region: The bucket's region; likewise.
        access_key: Who asks; likewise. Given together with ``secret_key``.
        secret_key: The key's secret.
        session: A boto3 session, instead of region and keys.
        client: A boto3 S3 client, instead of all these.
        create: Make the bucket if it is missing; if not, using it raises `BucketMissing`.
        quiet: Seconds without a dispatch after which a snapshot is made; None makes none.
        most: Seconds after which one is made however much is dispatched; ten times ``quiet`` if
            None.
        clock: Time and timers.
    """

    def __init__(
        self,
        bucket: str,
        machine: str,
        *,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session: boto3.Session | None = None,
        client: S3Client | None = None,
        create: bool = True,
        quiet: float | None = SECONDS,
        most: float | None = None,
        clock: TimedClock | None = None,
    ) -> None:
        if (access_key is None) != (secret_key is None):
            raise Misconfigured("access_key and secret_key are given together, or neither")
        connection = _Connection(
            bucket,
            endpoint=endpoint,
            region=region,
            keys=(access_key, secret_key),
            session=session,
            client=client,
            create=create,
        )
        objects: ObjectStore = S3ObjectStore(
            lambda: connection.client, bucket, translate=bucket_error
        )
        if prefix:
            objects = PrefixedObjectStore(objects, f"{prefix.strip('/')}/")
        super().__init__(machine, objects, quiet=quiet, most=most, clock=clock)


class _Connection:
    """A client that is made, and its bucket with it, when it is first used."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None,
        region: str | None,
        keys: tuple[str | None, str | None],
        session: boto3.Session | None,
        client: S3Client | None,
        create: bool,
    ) -> None:
        self._bucket = bucket
        self._endpoint = endpoint
        self._region = region
        self._keys = keys
        self._session = session
        self._given = client
        self._create = create

    @cached_property
    def client(self) -> S3Client:
        """The client, once the bucket is there.

        Raises:
            BucketMissing: It is not, and is not to be made.
            Misconfigured: Endpoint, region or credentials cannot be.
        """
        client = self._given or self._made()
        bucket = S3Bucket(client, self._bucket)
        if self._create:
            bucket.ensure()
        else:
            bucket.check()
        return client

    def _made(self) -> S3Client:
        try:
            session = self._session or boto3.Session(
                aws_access_key_id=self._keys[0],
                aws_secret_access_key=self._keys[1],
                region_name=self._region,
            )
            return Clients(session, self._endpoint).s3
        except BotoCoreError as error:
            raise bucket_error(f"could not reach bucket {self._bucket}", error) from error
        except ValueError as error:  # what botocore raises for an endpoint that is none
            raise Misconfigured(
                f"could not reach bucket {self._bucket}: {error}",
                hint="an endpoint is a URL such as http://127.0.0.1:9000",
            ) from error
