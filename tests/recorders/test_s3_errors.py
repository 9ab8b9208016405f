"""What a service may refuse: each its own clear error, never taken for a missing snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from blockfold.domain.errors import (
    AccessDenied,
    BlockfoldError,
    BucketMissing,
    Corrupted,
    Misconfigured,
    StorageFull,
    Unavailable,
)
from blockfold.local.network import free_port
from blockfold.recorders import S3Recorder
from tests.contracts.test_vendor_errors import Body
from tests.emulator import BareEmulator
from tests.recorders.playing import Play

Call = Callable[[S3Recorder], object]


def recorded(recorder: S3Recorder) -> Play:
    """A recorder that stored a snapshot."""
    play = Play("lab", recorder)
    play.grow(3)
    recorder.create_snapshot()
    return play


CALLS: dict[str, Call] = {
    "load": lambda recorder: recorder.load_snapshot(),
    "list": lambda recorder: recorder.get_snapshots(),
    "begin": lambda recorder: Play("lab", recorder).begin(),
    "record": recorded,
}

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def client(endpoint: str, **options: Any) -> Any:
    """One that tries once."""
    settings = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("s3", endpoint_url=endpoint, config=once, **{**settings, **options})


def answering(status: int, code: str, headers: dict[str, str] | None = None) -> Any:
    """A client whose every request is answered so, without being sent."""
    made = client("http://127.0.0.1:9")
    given = HTTPHeaders()
    for name, value in (headers or {}).items():
        given[name] = value

    def answer(request: Any, **_: object) -> AWSResponse:
        xml = f"<Error><Code>{code}</Code><Message>as told</Message></Error>"
        text = "" if request.method == "HEAD" else xml
        return AWSResponse(request.url, status, given, Body(text.encode()))

    made.meta.events.register("before-send", answer)
    return made


def error_of(call: Call, service: Any) -> BlockfoldError:
    with pytest.raises(BlockfoldError) as raised:
        call(S3Recorder("records", "lab", client=service, quiet=None))
    return raised.value


REFUSALS: dict[str, tuple[int, str, dict[str, str], type[BlockfoldError], str]] = {
    "denied": (403, "AccessDenied", {}, AccessDenied, "permission"),
    "no such key id": (403, "InvalidAccessKeyId", {}, Misconfigured, "credentials are not valid"),
    "wrong secret": (403, "SignatureDoesNotMatch", {}, Misconfigured, "credentials are not valid"),
    "expired": (400, "ExpiredToken", {}, Misconfigured, "have expired"),
    "elsewhere": (
        301,
        "PermanentRedirect",
        {"x-amz-bucket-region": "ap-south-1"},
        Misconfigured,
        "in another region (ap-south-1)",
    ),
    "full": (507, "XMinioStorageFull", {}, StorageFull, "make room"),
    "broken": (500, "InternalError", {}, Unavailable, ""),
    "busy": (503, "SlowDown", {}, Unavailable, ""),
}


class TestRefused:
    @each_call
    @pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
    def test_is_its_own_error_and_says_what_to_do(self, refusal: Any, call: Call) -> None:
        status, code, headers, expected, hint = refusal
        error = error_of(call, answering(status, code, headers))
        assert type(error) is expected
        assert "s3://records" in error.message
        assert hint in error.hint

    def test_a_service_without_conditional_writes_is_named(self, emulator: BareEmulator) -> None:
        service = fresh(emulator)

        def refuse(request: Any, **_: object) -> AWSResponse | None:
            if "If-None-Match" not in request.headers:
                return None
            xml = "<Error><Code>NotImplemented</Code><Message>no such header</Message></Error>"
            return AWSResponse(request.url, 501, HTTPHeaders(), Body(xml.encode()))

        service.meta.events.register("before-send", refuse)
        error = error_of(recorded, service)
        assert type(error) is Misconfigured
        assert "If-None-Match" in error.hint

    def test_a_service_that_ignores_the_condition_is_found_out(
        self, emulator: BareEmulator
    ) -> None:
        service = fresh(emulator)

        def ignore(params: Any, **_: object) -> None:
            params["headers"].pop("If-None-Match", None)

        service.meta.events.register("before-call.s3.PutObject", ignore)
        error = error_of(recorded, service)
        assert type(error) is Misconfigured
        assert "overwrites objects" in error.message


def fresh(emulator: BareEmulator) -> Any:
    """A client of its own on the emulator."""
    return boto3.client("s3", **emulator.client_arguments())  # type: ignore[call-overload]


class TestUnreachable:
    @each_call
    def test_is_unavailable(self, call: Call) -> None:
        error = error_of(call, client(f"http://127.0.0.1:{free_port()}"))
        assert type(error) is Unavailable
        assert "Could not connect" in error.message
        assert "does the endpoint run" in error.hint


class TestCredentials:
    def test_that_are_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        recorder = S3Recorder("records", "lab", endpoint="http://127.0.0.1:9", region="eu-west-1")
        with pytest.raises(Misconfigured) as raised:
            recorder.load_snapshot()
        assert "sign in" in raised.value.hint

    def test_of_which_only_half_is_given(self) -> None:
        with pytest.raises(Misconfigured, match="together"):
            S3Recorder("records", "lab", access_key="x")


def test_an_endpoint_that_is_none() -> None:
    recorder = S3Recorder("records", "lab", endpoint="nonsense", region="eu-west-1")
    with pytest.raises(Misconfigured, match="Invalid endpoint"):
        recorder.get_snapshots()


class TestNoBucket:
    def test_is_made_by_default_and_named_if_it_is_not_to_be(self, emulator: BareEmulator) -> None:
        service = fresh(emulator)
        never = S3Recorder("absent", "lab", client=service, create=False)
        for call in CALLS.values():
            with pytest.raises(BucketMissing, match="there is no bucket absent") as raised:
                call(never)
            assert "create=True" in raised.value.hint
        made = S3Recorder("absent", "lab", client=service)
        assert made.load_snapshot() is None
        assert never.load_snapshot() is None

    def test_that_was_deleted_meanwhile_is_named(self, emulator: BareEmulator) -> None:
        service = fresh(emulator)
        recorder = S3Recorder("fleeting", "lab", client=service, quiet=None)
        play = Play("lab", recorder)
        play.begin()
        service.delete_bucket(Bucket="fleeting")
        play.grow(1)
        for call in (recorder.flush, recorder.get_snapshots, recorder.load_snapshot):
            with pytest.raises(BucketMissing):
                call()


class TestDamage:
    @pytest.mark.parametrize("kind", ["snapshots", "runs", "archive"])
    def test_of_any_object_is_an_error(self, emulator: BareEmulator, kind: str) -> None:
        service = fresh(emulator)
        recorded(S3Recorder(f"damaged-{kind}", "lab", client=service, quiet=None))
        prefix = f"machines/lab/{kind}/"
        for each in service.list_objects_v2(Bucket=f"damaged-{kind}", Prefix=prefix)["Contents"]:
            service.put_object(Bucket=f"damaged-{kind}", Key=each["Key"], Body=b"{}")
        with pytest.raises(Corrupted, match=prefix):
            S3Recorder(f"damaged-{kind}", "lab", client=service).load_snapshot()


class TestReaching:
    def test_endpoint_region_keys_and_prefix_are_given(self, emulator: BareEmulator) -> None:
        """As for any service that speaks like S3; the bucket is addressed by path."""
        arguments: dict[str, Any] = {
            "endpoint": emulator.endpoint,
            "region": emulator.region,
            "access_key": emulator.access_key,
            "secret_key": emulator.secret_key,
            "quiet": None,
        }
        play = recorded(S3Recorder("reached", "lab", prefix="/team/a/", **arguments))
        keys = [
            each["Key"] for each in fresh(emulator).list_objects_v2(Bucket="reached")["Contents"]
        ]
        assert "team/a/machines/lab/recorder.json" in keys
        assert all(key.startswith("team/a/machines/lab/") for key in keys)
        found = S3Recorder("reached", "lab", prefix="team/a", **arguments).load_snapshot()
        assert found is not None
        assert found.state == play.state()
        assert S3Recorder("reached", "lab", **arguments).load_snapshot() is None

    def test_the_usual_configuration_is_enough(
        self, emulator: BareEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
        monkeypatch.setenv("AWS_DEFAULT_REGION", emulator.region)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", emulator.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", emulator.secret_key)
        play = recorded(S3Recorder("usual", "lab", quiet=None))
        found = S3Recorder("usual", "lab", session=boto3.Session()).load_snapshot()
        assert found is not None
        assert found.state == play.state()

    def test_nothing_is_asked_before_something_is_wanted(self) -> None:
        recorder = S3Recorder("records", "lab", endpoint=f"http://127.0.0.1:{free_port()}")
        recorder.close()


def test_a_name_that_no_bucket_has() -> None:
    keys = {"access_key": "x", "secret_key": "x"}
    recorder = S3Recorder(
        "Not A Bucket", "lab", endpoint="http://127.0.0.1:9", region="eu-west-1", **keys
    )
    with pytest.raises(Misconfigured, match="is that a bucket's name"):
        recorder.load_snapshot()
