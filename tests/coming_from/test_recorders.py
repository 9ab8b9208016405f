"""Coming from an in-process machine with recorders: each row of its table in docs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from blockfold import Runtime
from blockfold.adapters.bucket import S3Bucket
from blockfold.adapters.manual_clock import ManualClock
from blockfold.domain.errors import AccessDenied, BucketMissing, Corrupted, Refused, Unavailable
from blockfold.recorders import (
    FileRecorder,
    MemoryRecorder,
    Recorder,
    S3Recorder,
    capabilities,
)
from blockfold.recorders.protocol import Frame
from machines.forest import Forest


class Told:
    """A recorder that can only be told."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def after_dispatch(self, frame: Frame) -> None:
        self.frames.append(frame)


def plant(runtime: Runtime, *trees: str) -> None:
    for tree in trees:
        assert runtime.write("plant", tree=tree, species="oak").outcome == "applied"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("s3")


def test_class_reader_writer_and_recorder_make_a_machine() -> None:
    runtime = Runtime(Forest, "grove")
    with runtime:
        plant(runtime, "t1")
        assert runtime.state["tree/t1"]["species"] == "oak"
    assert not runtime.running


def test_told_after_every_dispatch_with_a_copy_of_its_own() -> None:
    told = Told()
    with Runtime(Forest, "grove", recorder=told) as runtime:
        plant(runtime, "t1", "t2")
        assert [frame.action and frame.action["type"] for frame in told.frames] == [
            None,
            "plant",
            "plant",
        ]
        assert [len(frame.state) for frame in told.frames] == [0, 1, 2]
        told.frames[1].state["tree/t1"]["litres"] = 99
        assert told.frames[1].state["tree/t1"]["litres"] == 0
        assert runtime.state["tree/t1"]["litres"] == 0


def test_the_first_call_has_no_action_and_is_skipped() -> None:
    recorder = MemoryRecorder("grove")
    with Runtime(Forest, recorder=recorder):
        assert recorder.create_snapshot() is None
    assert recorder.get_snapshots() == []


def test_leaving_a_call_out_declares_that_it_cannot() -> None:
    told = Told()
    assert isinstance(told, Recorder)
    assert capabilities(told) == frozenset()
    with Runtime(Forest, "grove", recorder=told) as runtime:
        plant(runtime, "t1")
        assert runtime.booted.source == "genesis"
    assert capabilities(MemoryRecorder("grove")) == {
        "create_snapshot",
        "get_snapshots",
        "load_snapshot",
    }


def test_no_snapshot_is_none_and_the_newest_is_the_default(tmp_path: Path) -> None:
    recorder = FileRecorder(tmp_path, "grove")
    assert recorder.load_snapshot() is None
    with Runtime(Forest, recorder=recorder) as runtime:
        plant(runtime, "t1")
        recorder.create_snapshot()
        plant(runtime, "t2")
        recorder.create_snapshot()
        newest = recorder.load_snapshot()
        assert newest is not None
        assert newest.number == 2
        assert recorder.load_snapshot(7) is None


def test_memory_is_the_default() -> None:
    assert isinstance(Runtime(Forest).recorder, MemoryRecorder)


def test_five_quiet_seconds_make_a_snapshot(tmp_path: Path) -> None:
    clock = ManualClock()
    recorder = FileRecorder(tmp_path, "grove", clock=clock)
    with Runtime(Forest, recorder=recorder, clock=clock) as runtime:
        plant(runtime, "t1")
        clock.advance(4.9)
        assert recorder.get_snapshots() == []
        clock.advance(0.2)
        assert recorder.get_snapshots() == [1]


def test_steady_traffic_gets_snapshots_too(tmp_path: Path) -> None:
    clock = ManualClock()
    recorder = FileRecorder(tmp_path, "grove", clock=clock, most=20)
    with Runtime(Forest, recorder=recorder, clock=clock) as runtime:
        for second in range(30):
            plant(runtime, f"t{second}")
            clock.advance(1)
        assert recorder.get_snapshots() != []


def test_every_snapshot_has_a_key_of_its_own_and_the_id_counts(tmp_path: Path) -> None:
    recorder = FileRecorder(tmp_path, "grove")
    with Runtime(Forest, recorder=recorder) as runtime:
        for tree in ("t1", "t2", "t3"):
            plant(runtime, tree)
            recorder.create_snapshot()
        assert recorder.get_snapshots() == [1, 2, 3]
        first = recorder.load_snapshot(1)
        assert first is not None
        assert list(first.state) == ["tree/t1"]


def test_the_first_run_on_an_empty_bucket_lives(client: object) -> None:
    recorder = S3Recorder("records-of-mine", "grove")
    with Runtime(Forest, recorder=recorder) as runtime:
        assert runtime.booted.source == "genesis"
        plant(runtime, "t1")
    again = S3Recorder("records-of-mine", "grove")
    with Runtime(Forest, recorder=again) as runtime:
        assert runtime.booted.snapshot == 1
        assert "tree/t1" in runtime.state


def test_damage_is_an_error_and_missing_is_none(tmp_path: Path) -> None:
    recorder = FileRecorder(tmp_path, "grove")
    with Runtime(Forest, recorder=recorder) as runtime:
        plant(runtime, "t1")
    [manifest] = (tmp_path / "machines" / "grove" / "snapshots").iterdir()
    manifest.write_bytes(manifest.read_bytes()[:-9])
    assert FileRecorder(tmp_path, "grove").load_snapshot(2) is None
    with pytest.raises(Corrupted, match=manifest.name):
        FileRecorder(tmp_path, "grove").load_snapshot(1)


def test_a_read_error_is_raised(client: object) -> None:
    nobody = {"access_key": "k", "secret_key": "s", "region": "eu-west-1"}
    recorder = S3Recorder("mine", "grove", endpoint="http://127.0.0.1:9", **nobody)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        Runtime(Forest, recorder=recorder).start()


def test_a_bucket_is_made_if_it_is_missing(client: object) -> None:
    bucket = S3Bucket(boto3.client("s3"), "a-new-one")
    assert not bucket.exists()
    assert bucket.ensure()
    assert not bucket.ensure()
    assert bucket.exists()
    with pytest.raises(BucketMissing):
        S3Recorder("no-such-one", "grove", create=False).load_snapshot()


def test_objects_go_up_and_down_and_missing_is_false(client: object) -> None:
    bucket = S3Bucket(boto3.client("s3"), "mine")
    bucket.ensure()
    assert not bucket.object_exists("a")
    assert bucket.download("a") is None
    bucket.upload("a", b"1")
    assert bucket.object_exists("a")
    assert bucket.download("a") == b"1"
    bucket.delete("a")
    assert not bucket.object_exists("a")
    assert issubclass(AccessDenied, Exception)


def test_endpoint_region_and_keys_are_the_usual_ones(
    client: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    S3Bucket(boto3.client("s3"), "there").ensure()
    assert S3Recorder("there", "grove").load_snapshot() is None
    location = boto3.client("s3").get_bucket_location(Bucket="there")
    assert location["LocationConstraint"] == "eu-central-1"
    given = S3Recorder(
        "there", "grove", endpoint="http://127.0.0.1:9", region="x", access_key="k", secret_key="s"
    )
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        given.load_snapshot()


def test_many_machines_share_a_store(tmp_path: Path) -> None:
    for name in ("grove", "glade"):
        with Runtime(Forest, recorder=FileRecorder(tmp_path, name)) as runtime:
            plant(runtime, f"of-{name}")
    for name in ("grove", "glade"):
        found = FileRecorder(tmp_path, name).load_snapshot()
        assert found is not None
        assert list(found.state) == [f"tree/of-{name}"]


def test_a_frame_can_be_jumped_to_and_replayed() -> None:
    with Runtime(Forest) as runtime:
        plant(runtime, "t1", "t2", "t3")
        assert [len(frame.state) for frame in runtime] == [0, 1, 2, 3]
        cursor = runtime.cursor()
        assert len(cursor.jump(1).state) == 1
        assert cursor.forward()
        assert len(cursor.state) == 2
        assert cursor.back()
        assert len(cursor.state) == 1
        runtime.undo()
        assert list(runtime.state) == ["tree/t1", "tree/t2"]
        assert runtime.replay().ok


def test_writing_after_the_stop_is_refused() -> None:
    runtime = Runtime(Forest)
    with runtime:
        plant(runtime, "t1")
    with pytest.raises(Refused):
        runtime.write("plant", tree="t2", species="oak")
