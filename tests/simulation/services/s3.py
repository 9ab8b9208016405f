"""S3: objects of a bucket, with conditional writes and strong read-after-write.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from hashlib import md5
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tests.simulation.services.faults import refusal
from tests.simulation.services.hook import Answer, Call, Client, Hook, PartFailed, operation
from tests.simulation.services.pages import Paginator

if TYPE_CHECKING:
    from tests.simulation.services.cloud import Cloud

KEY_BYTES = 1024
LIST_KEYS = 1000
DELETE_KEYS = 1000

_PAGED = {"list_objects_v2": ("ContinuationToken", "NextContinuationToken")}


@dataclass(frozen=True, slots=True)
class Object:
    """An object.

    Attributes:
        data: Its content.
        modified: When it was stored, milliseconds since 1970; S3 tells whole seconds.
    """

    data: bytes
    modified: int

    @property
    def described(self) -> Answer:
        """What S3 tells of it besides its content."""
        return {
            "ContentLength": len(self.data),
            "ETag": f'"{md5(self.data).hexdigest()}"',
            "LastModified": datetime.fromtimestamp(self.modified // 1000, UTC),
        }


class Bucket:
    """Objects by key. To look at and to damage, use `objects`, `put` and `delete`."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self._order: list[str] = []

    def put(self, key: str, data: bytes, now: int) -> None:
        """Store an object, over another."""
        if key not in self.objects:
            insort(self._order, key)
        self.objects[key] = Object(data, now)

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        if self.objects.pop(key, None) is not None:
            del self._order[bisect_left(self._order, key)]

    def keys(self, prefix: str = "", after: str = "") -> list[str]:
        """Keys in UTF-8 order, from behind one on."""
        found = []
        start = max(bisect_left(self._order, prefix), bisect_right(self._order, after))
        for at in range(start, len(self._order)):
            if not self._order[at].startswith(prefix):
                break
            found.append(self._order[at])
        return found


class _Refused(Exception):
    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status


def _refuses(function: Callable[[Any, Call], Answer]) -> Callable[[Any, Call], Answer]:
    """Raise what boto3 raises for what S3 refuses."""

    @wraps(function)
    def method(self: S3, call: Call) -> Answer:
        try:
            return function(self, call)
        except _Refused as error:
            raise refusal(call.operation, error.code, error.message, error.status) from None

    return method


class S3(Client):
    """A boto3 S3 client of a cloud."""

    client = "s3"

    def __init__(self, cloud: Cloud, hook: Hook) -> None:
        super().__init__(hook)
        self._cloud = cloud

    def get_paginator(self, name: str) -> Paginator:
        """A paginator of ``list_objects_v2``."""
        return Paginator(getattr(self, name), *_PAGED[name])

    @operation("PutObject", ("Bucket", "Key", "Body"), ("IfNoneMatch",))
    @_refuses
    def put_object(self, call: Call) -> Answer:
        """Store an object, or refuse it if there is one and none is wanted."""
        bucket, key = self._bucket(call), call.params["Key"]
        if len(key.encode()) > KEY_BYTES:
            raise _Refused("KeyTooLongError", "Your key is too long", 400)
        if "IfNoneMatch" in call.params:
            if call.params["IfNoneMatch"] != "*":
                raise NotImplementedError(f"IfNoneMatch={call.params['IfNoneMatch']!r}")
            if key in bucket.objects:
                raise _Refused(
                    "PreconditionFailed",
                    "At least one of the pre-conditions you specified did not hold",
                    412,
                )
        bucket.put(key, bytes(call.params["Body"]), self._cloud.now())
        return {"ETag": bucket.objects[key].described["ETag"]}

    @operation("GetObject", ("Bucket", "Key"))
    @_refuses
    def get_object(self, call: Call) -> Answer:
        """Read an object."""
        found = self._bucket(call).objects.get(call.params["Key"])
        if found is None:
            raise _Refused("NoSuchKey", "The specified key does not exist.", 404)
        return {"Body": BytesIO(found.data), **found.described}

    @operation("HeadObject", ("Bucket", "Key"))
    @_refuses
    def head_object(self, call: Call) -> Answer:
        """Look an object up. An answer to HEAD has no body, so no error code but the status."""
        bucket = self._cloud.buckets.get(call.params["Bucket"])
        found = bucket and bucket.objects.get(call.params["Key"])
        if not found:
            raise _Refused("404", "Not Found", 404)
        return found.described

    @operation(
        "ListObjectsV2", ("Bucket",), ("Prefix", "Delimiter", "MaxKeys", "ContinuationToken")
    )
    @_refuses
    def list_objects_v2(self, call: Call) -> Answer:
        """Keys in UTF-8 order, page by page, or the folders that they are in."""
        bucket, prefix = self._bucket(call), call.params.get("Prefix", "")
        delimiter = call.params.get("Delimiter", "")
        most = min(call.params.get("MaxKeys", LIST_KEYS), LIST_KEYS, self._cloud.page)
        after = call.params.get("ContinuationToken", "")
        contents: list[Answer] = []
        folders: list[Answer] = []
        last, truncated = after, False
        for key in bucket.keys(prefix, after):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            folder = key[: cut + len(delimiter)] if cut >= 0 else ""
            if folder and last == folder:
                continue  # of the folder that was named last
            if len(contents) + len(folders) == most:
                truncated = True
                break
            if folder:
                folders.append({"Prefix": folder})
                last = folder
            else:
                described = bucket.objects[key].described
                described["Size"] = described.pop("ContentLength")
                contents.append({"Key": key, **described, "StorageClass": "STANDARD"})
                last = key
        answer: Answer = {"IsTruncated": truncated, "KeyCount": len(contents) + len(folders)}
        if contents:
            answer["Contents"] = contents
        if folders:
            answer["CommonPrefixes"] = folders
        if truncated:
            answer["NextContinuationToken"] = last
        return answer

    @operation("DeleteObject", ("Bucket", "Key"))
    @_refuses
    def delete_object(self, call: Call) -> Answer:
        """Delete an object, if there is one."""
        self._bucket(call).delete(call.params["Key"])
        return {}

    @operation("DeleteObjects", ("Bucket", "Delete"))
    @_refuses
    def delete_objects(self, call: Call) -> Answer:
        """Delete objects, each by itself and in no order."""
        bucket, wanted = self._bucket(call), call.params["Delete"]
        if wanted.keys() - {"Objects", "Quiet"} or any(
            each.keys() != {"Key"} for each in wanted["Objects"]
        ):
            raise NotImplementedError(f"DeleteObjects of {wanted}")
        keys = [each["Key"] for each in wanted["Objects"]]
        if not 0 < len(keys) <= DELETE_KEYS:
            raise _Refused(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our "
                "published schema",
                400,
            )
        self._cloud.random.shuffle(keys)
        deleted, errors = [], []
        for index, key in enumerate(keys):

            def delete(key: str = key) -> None:
                bucket.delete(key)

            try:
                self.hook.part(call, index, delete)
                deleted.append({"Key": key})
            except PartFailed as error:
                errors.append({"Key": key, "Code": error.code, "Message": error.message})
        answer: Answer = {}
        if deleted and not wanted.get("Quiet"):
            answer["Deleted"] = deleted
        if errors:
            answer["Errors"] = errors
        return answer

    def _bucket(self, call: Call) -> Bucket:
        bucket = self._cloud.buckets.get(call.params["Bucket"])
        if bucket is None:
            raise _Refused("NoSuchBucket", "The specified bucket does not exist", 404)
        return bucket
