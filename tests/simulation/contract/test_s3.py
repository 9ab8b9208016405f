"""The contract of S3, as far as the adapters use it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.simulation.contract.backends import Backend, code_of


@pytest.fixture
def folder() -> str:
    """A prefix of its own."""
    return f"folder/{uuid4().hex}/"


def put(backend: Backend, key: str, body: bytes = b"", **more: Any) -> Any:
    return backend.s3.put_object(Bucket=backend.bucket, Key=key, Body=body, **more)


def read(backend: Backend, key: str) -> bytes:
    found: bytes = backend.s3.get_object(Bucket=backend.bucket, Key=key)["Body"].read()
    return found


def pages(backend: Backend, prefix: str, **more: Any) -> list[Any]:
    paginator = backend.s3.get_paginator("list_objects_v2")
    return list(paginator.paginate(Bucket=backend.bucket, Prefix=prefix, **more))


def keys(backend: Backend, prefix: str) -> list[str]:
    return [each["Key"] for page in pages(backend, prefix) for each in page.get("Contents", [])]


@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 1000])
def test_an_object_comes_back(backend: Backend, folder: str, body: bytes) -> None:
    key = f"{folder}ü /%2F+&\N{PILE OF POO}"
    put(backend, key, body)
    assert read(backend, key) == body
    head = backend.s3.head_object(Bucket=backend.bucket, Key=key)
    assert head["ContentLength"] == len(body)
    assert head["LastModified"].tzinfo is not None
    assert head["LastModified"].microsecond == 0
    assert keys(backend, folder) == [key]


def test_a_listing_tells_size_and_time(backend: Backend, folder: str) -> None:
    put(backend, f"{folder}a", b"12345")
    (page,) = pages(backend, folder)
    (entry,) = page["Contents"]
    assert entry["Size"] == 5
    head = backend.s3.head_object(Bucket=backend.bucket, Key=f"{folder}a")
    assert entry["ETag"] == head["ETag"]
    listed = entry["LastModified"].astimezone(UTC)
    assert isinstance(listed, datetime)
    assert abs((listed - head["LastModified"].astimezone(UTC)).total_seconds()) < 1


def test_a_put_replaces(backend: Backend, folder: str) -> None:
    put(backend, f"{folder}a", b"one")
    put(backend, f"{folder}a", b"two")
    assert read(backend, f"{folder}a") == b"two"
    assert keys(backend, folder) == [f"{folder}a"]


def test_if_none_match_stores_the_first_only(backend: Backend, folder: str) -> None:
    put(backend, f"{folder}a", b"one", IfNoneMatch="*")
    code = code_of(lambda: put(backend, f"{folder}a", b"two", IfNoneMatch="*"))
    assert code == "PreconditionFailed"
    assert read(backend, f"{folder}a") == b"one"
    backend.s3.delete_object(Bucket=backend.bucket, Key=f"{folder}a")
    put(backend, f"{folder}a", b"three", IfNoneMatch="*")
    assert read(backend, f"{folder}a") == b"three"


MISSING: dict[str, tuple[str, Callable[[Backend, str], object]]] = {
    "get": ("NoSuchKey", read),
    "head": ("404", lambda on, key: on.s3.head_object(Bucket=on.bucket, Key=key)),
}


@pytest.mark.parametrize(("code", "call"), MISSING.values(), ids=MISSING)
def test_a_missing_object(
    backend: Backend, folder: str, code: str, call: Callable[[Backend, str], object]
) -> None:
    assert code_of(lambda: call(backend, f"{folder}none")) == code


NO_BUCKET: dict[str, tuple[str, Callable[[Any], object]]] = {
    "get": ("NoSuchBucket", lambda on: on.get_object(Bucket="no-such-bucket", Key="k")),
    "put": ("NoSuchBucket", lambda on: on.put_object(Bucket="no-such-bucket", Key="k", Body=b"")),
    "put new": (
        "NoSuchBucket",
        lambda on: on.put_object(Bucket="no-such-bucket", Key="k", Body=b"", IfNoneMatch="*"),
    ),
    "head": ("404", lambda on: on.head_object(Bucket="no-such-bucket", Key="k")),
    "list": ("NoSuchBucket", lambda on: on.list_objects_v2(Bucket="no-such-bucket")),
    "delete": (
        "NoSuchBucket",
        lambda on: on.delete_objects(Bucket="no-such-bucket", Delete={"Objects": [{"Key": "k"}]}),
    ),
}


@pytest.mark.parametrize(("code", "call"), NO_BUCKET.values(), ids=NO_BUCKET)
def test_a_missing_bucket(backend: Backend, code: str, call: Callable[[Any], object]) -> None:
    assert code_of(lambda: call(backend.s3)) == code


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_keys_have_1024_bytes(backend: Backend, folder: str, length: int, fits: bool) -> None:
    key = folder + "x" * (length - len(folder) - 2) + "é"
    assert len(key.encode()) == length
    if fits:
        put(backend, key)
        assert keys(backend, folder) == [key]
    else:
        assert code_of(lambda: put(backend, key)) == "KeyTooLongError"


def test_keys_are_listed_in_the_order_of_their_utf_8(backend: Backend, folder: str) -> None:
    names = ["!", "1", "10", "2", "A", "a", "a/b", "a0", "z", "é", "\ufffd", "😀"]
    for name in reversed(names):
        put(backend, folder + name)
    assert keys(backend, folder) == [folder + name for name in names]


def test_a_listing_comes_in_pages(backend: Backend, folder: str) -> None:
    for number in range(7):
        put(backend, f"{folder}{number}")
    first = backend.s3.list_objects_v2(Bucket=backend.bucket, Prefix=folder, MaxKeys=4)
    assert (first["IsTruncated"], first["KeyCount"]) == (True, 4)
    put(backend, f"{folder}00")
    backend.s3.delete_object(Bucket=backend.bucket, Key=f"{folder}3")
    second = backend.s3.list_objects_v2(
        Bucket=backend.bucket,
        Prefix=folder,
        MaxKeys=4,
        ContinuationToken=first["NextContinuationToken"],
    )
    assert [each["Key"][-1] for each in second["Contents"]] == ["4", "5", "6"]
    assert second["IsTruncated"] is False
    assert "NextContinuationToken" not in second


def test_nothing_is_a_page_without_contents(backend: Backend, folder: str) -> None:
    (page,) = pages(backend, folder)
    assert "Contents" not in page
    assert (page["IsTruncated"], page["KeyCount"]) == (False, 0)


def test_folders_are_named_once_each_and_counted(backend: Backend, folder: str) -> None:
    for name in ("a/1", "a/2", "b", "c/1", "c/d/2", "e/", "e/1"):
        put(backend, folder + name)
    found: list[tuple[list[str], list[str]]] = []
    arguments: dict[str, Any] = {
        "Bucket": backend.bucket,
        "Prefix": folder,
        "Delimiter": "/",
        "MaxKeys": 2,
    }
    while True:
        answer = backend.s3.list_objects_v2(**arguments)
        found.append(
            (
                [each["Prefix"][len(folder) :] for each in answer.get("CommonPrefixes", [])],
                [each["Key"][len(folder) :] for each in answer.get("Contents", [])],
            )
        )
        if not answer["IsTruncated"]:
            break
        arguments["ContinuationToken"] = answer["NextContinuationToken"]
    assert found == [(["a/"], ["b"]), (["c/", "e/"], [])]


def test_deleting_says_nothing_if_asked_to_be_quiet(backend: Backend, folder: str) -> None:
    for name in "abc":
        put(backend, folder + name)
    objects = [{"Key": f"{folder}{name}"} for name in ("a", "c", "none")]
    answer = backend.s3.delete_objects(
        Bucket=backend.bucket, Delete={"Objects": objects, "Quiet": True}
    )
    assert "Deleted" not in answer
    assert "Errors" not in answer
    assert keys(backend, folder) == [f"{folder}b"]


def test_deleting_names_what_is_gone(backend: Backend, folder: str) -> None:
    put(backend, f"{folder}a")
    objects = [{"Key": f"{folder}{name}"} for name in ("a", "none")]
    answer = backend.s3.delete_objects(Bucket=backend.bucket, Delete={"Objects": objects})
    assert sorted(each["Key"] for each in answer["Deleted"]) == [f"{folder}a", f"{folder}none"]


def test_a_thousand_keys_are_the_most(backend: Backend) -> None:
    objects = [{"Key": f"none/{number}"} for number in range(1001)]
    delete = backend.s3.delete_objects
    code = code_of(lambda: delete(Bucket=backend.bucket, Delete={"Objects": objects}))
    assert code == "MalformedXML"
