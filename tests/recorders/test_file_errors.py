"""What a folder may refuse: each its own clear error, never taken for a missing snapshot."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blockfold.adapters.folder import FolderObjectStore
from blockfold.domain.errors import (
    AccessDenied,
    BucketMissing,
    Corrupted,
    Misconfigured,
    NotFound,
    StorageFull,
    Unavailable,
)
from blockfold.recorders import FileRecorder
from tests.recorders.playing import Play

NOBODY = 65534


def kept_in(folder: Path, machine: str, **options: Any) -> FileRecorder:
    """A recorder that does nothing by itself."""
    return FileRecorder(folder, machine, quiet=None, **options)


def recorded(recorder: FileRecorder, blocks: int = 3) -> Play:
    """A recorder that stored a snapshot."""
    play = Play(recorder.machine, recorder)
    play.grow(blocks)
    recorder.create_snapshot()
    return play


CALLS: dict[str, Callable[[FileRecorder], object]] = {
    "load": lambda recorder: recorder.load_snapshot(),
    "list": lambda recorder: recorder.get_snapshots(),
    "begin": lambda recorder: Play("lab", recorder).begin(),
    "record": recorded,
}

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@contextmanager
def unprivileged() -> Iterator[None]:
    """As a user whom permissions bind: root may do everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may reach."""
    made = Path(tempfile.mkdtemp(prefix="blockfold-"))
    made.chmod(0o755)
    yield made
    for path in made.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(made)


class TestNoFolder:
    def test_is_made_by_default(self, tmp_path: Path) -> None:
        recorder = kept_in(tmp_path / "new" / "kept", "lab")
        assert recorder.load_snapshot() is None
        assert not (tmp_path / "new").exists()
        recorded(recorder)
        assert recorder.get_snapshots() == [3]

    @each_call
    def test_is_an_error_if_it_is_not_to_be_made(
        self, tmp_path: Path, call: Callable[[FileRecorder], object]
    ) -> None:
        with pytest.raises(BucketMissing, match="there is no folder") as raised:
            call(kept_in(tmp_path / "kept", "lab", create=False))
        assert isinstance(raised.value, NotFound)
        assert "create=True" in raised.value.hint
        assert not (tmp_path / "kept").exists()


class TestAFile:
    @each_call
    def test_where_the_folder_should_be_is_an_error(
        self, tmp_path: Path, call: Callable[[FileRecorder], object]
    ) -> None:
        (tmp_path / "kept").write_text("no folder")
        for below in ("kept", "kept/deeper"):
            with pytest.raises(Misconfigured):
                call(kept_in(tmp_path / below, "lab"))
        assert (tmp_path / "kept").read_text() == "no folder"

    def test_where_a_machine_should_be_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "machines").write_text("no folder")
        with pytest.raises(Misconfigured):
            recorded(kept_in(tmp_path, "lab"))


class TestNotAllowed:
    def test_to_write_is_an_error_and_what_is_there_can_be_loaded(self, folder: Path) -> None:
        play = recorded(kept_in(folder, "lab"))
        with unprivileged():
            if os.geteuid() == folder.stat().st_uid:
                for path in (folder, *folder.rglob("*")):
                    path.chmod(0o555 if path.is_dir() else 0o444)
            recorder = kept_in(folder, "lab")
            found = recorder.load_snapshot()
            assert found is not None
            assert found.state == play.state()
            again = Play("lab", recorder)
            again.grow(4)
            with pytest.raises(AccessDenied, match="could not store") as raised:
                recorder.flush()
            assert isinstance(raised.value, Misconfigured)
            assert "make the folder yours" in raised.value.hint
            with pytest.raises(AccessDenied):
                FolderObjectStore(folder).delete(
                    [each.key for each in FolderObjectStore(folder).list("")]
                )

    def test_to_read_is_no_missing_snapshot(self, folder: Path) -> None:
        recorded(kept_in(folder, "lab"))
        (folder / "machines").chmod(0o000)
        with unprivileged():
            recorder = kept_in(folder, "lab")
            for call in (recorder.load_snapshot, recorder.get_snapshots):
                with pytest.raises(AccessDenied):
                    call()
            with pytest.raises(AccessDenied):
                Play("lab", recorder).begin()


class TestNoRoom:
    def test_is_an_error_leaves_nothing_torn_and_is_made_up_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The disk fills at each file in turn."""
        real = os.fsync
        for fails_at in range(1, 6):
            folder = tmp_path / str(fails_at)
            recorder = kept_in(folder, "lab")
            play = Play("lab", recorder)
            play.grow(3)
            synced = 0

            def full(stream: int, fails_at: int = fails_at) -> None:
                nonlocal synced
                if os.path.isfile(f"/proc/self/fd/{stream}"):  # noqa: PTH113 - a descriptor
                    synced += 1
                    if synced == fails_at:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                real(stream)

            monkeypatch.setattr(os, "fsync", full)
            if fails_at <= 4:
                with pytest.raises(StorageFull, match="No space left on device") as raised:
                    recorder.create_snapshot()
                assert isinstance(raised.value, Unavailable)
                assert "make room" in raised.value.hint
                assert list(folder.rglob("*.partial")) == []
            assert recorder.create_snapshot() == 3
            found = kept_in(folder, "lab").load_snapshot()
            assert found is not None
            assert found.state == play.state()

    def test_by_a_real_limit(self, tmp_path: Path) -> None:
        """RLIMIT_FSIZE in a process of its own: a write is cut off in the middle."""
        pid = os.fork()
        if pid == 0:  # pragma: no cover - the child
            os._exit(self._limited(tmp_path))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    @staticmethod
    def _limited(folder: Path) -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        store = FolderObjectStore(folder)
        try:
            store.put_new("machines/lab/large", bytes(10_000))
        except StorageFull as error:
            whole = store.put_new("machines/lab/small", bytes(1_000))
            left = [each.key for each in store.list("")]
            return 0 if whole and left == ["machines/lab/small"] and error.hint else 2
        return 1


class TestDamage:
    @pytest.mark.parametrize("kind", ["snapshots", "runs", "archive"])
    @pytest.mark.parametrize("how", ["cut", "flip", "empty", "gone"])
    def test_of_any_file_is_an_error(self, tmp_path: Path, kind: str, how: str) -> None:
        recorded(kept_in(tmp_path, "lab"))
        for path in (tmp_path / "machines" / "lab" / kind).iterdir():
            data = bytearray(path.read_bytes())
            data[len(data) // 3] ^= 4
            changed = {"cut": data[:-3], "flip": data, "empty": b"", "gone": None}[how]
            path.unlink()
            if changed is not None:
                path.write_bytes(bytes(changed))
        recorder = kept_in(tmp_path, "lab")
        if (kind, how) == ("snapshots", "gone"):
            assert recorder.load_snapshot() is None
            return
        with pytest.raises(Corrupted, match=r"machines/lab/|machine 'lab'"):
            recorder.load_snapshot()

    def test_names_that_the_file_system_cannot_have_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured, match="name too long"):
            recorded(kept_in(tmp_path, "/" * 100))


def test_partial_files_of_a_killed_process_are_no_objects(tmp_path: Path) -> None:
    play: Any = recorded(kept_in(tmp_path, "lab"))
    (tmp_path / "machines" / "lab" / "archive" / "0123456789abcdef.partial").write_bytes(b"torn")
    recorder = kept_in(tmp_path, "lab")
    found = recorder.load_snapshot()
    assert found is not None
    assert found.state == play.state()
