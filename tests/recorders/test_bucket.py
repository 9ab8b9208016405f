"""The bucket helper: on AWS's answers (moto), on the emulator, and on refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from blockfold.domain.errors import AccessDenied, BucketMissing, Misconfigured, Refused, Unavailable
from blockfold.local.network import free_port
from blockfold.recorders import S3Bucket
from tests.emulator import BareEmulator
from tests.recorders.test_s3_errors import answering, client, fresh


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield


def in_region(region: str) -> Any:
    return boto3.client("s3", region_name=region)


@pytest.mark.usefixtures("moto")
class TestOnAws:
    @pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-south-1"])
    def test_it_is_made_where_the_client_is(self, region: str) -> None:
        service = in_region(region)
        bucket = S3Bucket(service, f"made-in-{region}")
        assert not bucket.exists()
        assert bucket.ensure()
        assert bucket.exists()
        assert not bucket.ensure()
        place = service.get_bucket_location(Bucket=bucket.name)["LocationConstraint"]
        assert place == (None if region == "us-east-1" else region)

    def test_nobody_else_reads_it(self) -> None:
        service = in_region("eu-west-1")
        S3Bucket(service, "private").ensure()
        found = service.get_public_access_block(Bucket="private")["PublicAccessBlockConfiguration"]
        assert found
        assert all(found.values())

    def test_being_made_meanwhile_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        service = in_region("eu-west-1")
        bucket = S3Bucket(service, "twice")
        assert bucket.ensure()
        monkeypatch.setattr(bucket, "exists", lambda: False)
        assert not bucket.ensure()


class TestOnTheEmulator:
    def test_objects_go_up_and_come_down(self, emulator: BareEmulator) -> None:
        bucket = S3Bucket(fresh(emulator), "up-and-down")
        assert bucket.ensure()
        assert bucket.download("a/b") is None
        assert not bucket.object_exists("a/b")
        bucket.upload("a/b", b"first")
        bucket.upload("a/b", b"second")
        bucket.upload("empty", b"")
        assert bucket.download("a/b") == b"second"
        assert bucket.download("empty") == b""
        assert bucket.object_exists("a/b")
        bucket.delete("a/b")
        bucket.delete("a/b")
        assert bucket.download("a/b") is None
        assert not bucket.object_exists("a/b")
        assert bucket.exists()

    def test_no_bucket_is_no_missing_object(self, emulator: BareEmulator) -> None:
        bucket = S3Bucket(fresh(emulator), "never-made")
        assert not bucket.exists()
        for call in (
            lambda: bucket.download("a"),
            lambda: bucket.upload("a", b""),
            lambda: bucket.delete("a"),
            bucket.check,
        ):
            with pytest.raises(BucketMissing, match="never-made"):
                call()


CALLS = {
    "exists": lambda bucket: bucket.exists(),
    "ensure": lambda bucket: bucket.ensure(),
    "object exists": lambda bucket: bucket.object_exists("k"),
    "upload": lambda bucket: bucket.upload("k", b""),
    "download": lambda bucket: bucket.download("k"),
    "delete": lambda bucket: bucket.delete("k"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
class TestRefused:
    def test_somebody_else_s(self, call: Any) -> None:
        bucket = S3Bucket(answering(403, "AccessDenied"), "theirs")
        with pytest.raises(AccessDenied, match="s3://theirs") as raised:
            call(bucket)
        assert raised.value.hint

    def test_elsewhere(self, call: Any) -> None:
        service = answering(301, "PermanentRedirect", {"x-amz-bucket-region": "ap-south-1"})
        with pytest.raises(Misconfigured) as raised:
            call(S3Bucket(service, "far"))
        assert "ap-south-1" in raised.value.hint

    def test_down(self, call: Any) -> None:
        bucket = S3Bucket(client(f"http://127.0.0.1:{free_port()}"), "gone")
        with pytest.raises(Unavailable, match="Could not connect"):
            call(bucket)


def test_a_name_that_somebody_else_has_is_refused() -> None:
    """S3 says NoSuchBucket to nobody then; here the two answers are put together."""
    bucket = S3Bucket(answering(409, "BucketAlreadyExists"), "taken")
    bucket.exists = lambda: False  # type: ignore[method-assign]
    with pytest.raises(Refused, match="somebody else has a bucket of that name") as raised:
        bucket.ensure()
    assert "choose another" in raised.value.hint


def test_one_that_is_ours_already_is_success() -> None:
    bucket = S3Bucket(answering(409, "BucketAlreadyOwnedByYou"), "ours")
    bucket.exists = lambda: False  # type: ignore[method-assign]
    assert not bucket.ensure()
