"""The contract of recorders: in memory, in a folder, in a bucket, and the one on the page."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.ports import ObjectStore
from blockfold.recorders import FileRecorder, MemoryRecorder, Recorder, S3Recorder, capabilities
from tests.contracts.resources import clients_of
from tests.docs.pages import ROOT, snippets
from tests.emulator import BareEmulator
from tests.recorders.contract import Make, RecorderContract

BUCKETS = iter(range(1000))


def spoil_objects(objects: ObjectStore) -> None:
    """Change a byte in each run."""
    for each in list(objects.list("")):
        if "/runs/" in each.key:
            data = bytearray(objects.get(each.key) or b"")
            data[len(data) // 2] ^= 1
            objects.replace(each.key, bytes(data))


@cache
def client_of(emulator: BareEmulator) -> Any:
    return clients_of(emulator).s3


class TestMemory(RecorderContract):
    @pytest.fixture
    def objects(self) -> MemoryObjectStore:
        return MemoryObjectStore()

    @pytest.fixture
    def make(self, objects: MemoryObjectStore) -> Make:
        return lambda machine: MemoryRecorder(machine, objects=objects)

    @pytest.fixture
    def damage(self, objects: MemoryObjectStore) -> Callable[[], None]:
        return lambda: spoil_objects(objects)


class TestFile(RecorderContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        return lambda machine: FileRecorder(tmp_path / "kept", machine, quiet=None)

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[], None]:
        def spoil() -> None:
            for path in (tmp_path / "kept").glob("machines/*/runs/*"):
                path.write_bytes(path.read_bytes()[:-1])

        return spoil


class TestS3(RecorderContract):
    @pytest.fixture
    def bucket(self) -> str:
        return f"recorded-{next(BUCKETS)}"

    @pytest.fixture
    def make(self, emulator: BareEmulator, bucket: str) -> Make:
        client = client_of(emulator)
        return lambda machine: S3Recorder(bucket, machine, client=client, quiet=None)

    @pytest.fixture
    def damage(self, emulator: BareEmulator, bucket: str) -> Callable[[], None]:
        client = client_of(emulator)

        def spoil() -> None:
            for each in client.list_objects_v2(Bucket=bucket)["Contents"]:
                if each["Key"].endswith(".json"):
                    client.put_object(Bucket=bucket, Key=each["Key"], Body=b"{}")

        return spoil


@pytest.fixture(scope="session")
def page() -> Any:
    """The module that the Python on the page makes."""
    module = ModuleType("recorders_page")
    sys.modules[module.__name__] = module
    path = ROOT / "docs" / "recorders.md"
    for snippet in snippets(path, "python"):
        padding = "\n" * (snippet.line - 1)
        exec(compile(padding + snippet.text, str(path), "exec"), module.__dict__)
    return module


class TestTheOneOnThePage(RecorderContract):
    @pytest.fixture
    def make(self, tmp_path: Path, page: Any) -> Make:
        return lambda machine: page.SqliteRecorder(tmp_path / "kept.db", machine)

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[], None]:
        def spoil() -> None:
            with sqlite3.connect(tmp_path / "kept.db") as file:
                file.execute("UPDATE snapshots SET data = replace(data, '1', '2')")

        return spoil

    def test_it_declares_all_four(self, make: Make) -> None:
        assert len(capabilities(make("lab"))) == 3


class TestOneThatIsOnlyTold(RecorderContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda machine: Listener()

    def test_what_it_leaves_out_it_does_not_declare(self, make: Make) -> None:
        assert capabilities(make("lab")) == frozenset()


class Listener:
    """Keeps nothing but numbers."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def after_dispatch(self, frame: Any) -> None:
        self.numbers.append(frame.number)


def test_recorders_declare_what_they_can() -> None:
    recorder: Recorder = MemoryRecorder("lab")
    assert capabilities(recorder) == {"create_snapshot", "get_snapshots", "load_snapshot"}
