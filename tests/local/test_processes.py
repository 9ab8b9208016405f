"""Stale ids, strangers, locks and ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blockfold.local import DataFolderError, EmulatorError, PortInUse, emulator, processes
from blockfold.local.folder import DataFolder
from blockfold.local.locks import exclusive
from blockfold.local.network import PORTS, free_port, port_is_taken


def sleeper(mark: str) -> subprocess.Popen[bytes]:
    code = "import time; print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, mark], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # its command line shows once it runs
    process.stdout.close()
    return process


def test_a_process_is_known_by_id_and_command_line() -> None:
    process = sleeper("marked")
    try:
        assert processes.is_ours(process.pid, "marked")
        assert not processes.is_ours(process.pid, "another mark")
        assert not processes.wait_until_gone(process.pid, "marked", timeout=0.1)
        processes.ask_to_stop(process.pid)
        assert processes.wait_until_gone(process.pid, "marked", timeout=10)
        processes.ask_to_stop(process.pid)
        processes.kill(process.pid)
    finally:
        process.kill()
        process.wait()


def test_an_ended_child_that_nobody_collected_counts_as_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "", "marked"])
    deadline = time.monotonic() + 10
    while processes.is_ours(process.pid, "marked"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.wait()


def test_a_stranger_with_the_recorded_id_is_not_the_emulator(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert emulator.find(folder) is None
    folder.emulator.mkdir()

    folder.process.write_text(f"{os.getpid()} 20000\n")
    assert emulator.find(folder) is None
    assert emulator.recorded(folder) == (os.getpid(), 20000)

    folder.process.write_text("half a re")
    assert emulator.find(folder) is None
    assert emulator.recorded(folder) is None


def test_stopping_what_is_gone_does_nothing(tmp_path: Path) -> None:
    emulator.stop(emulator.Emulator(os.getpid(), 20000, DataFolder(tmp_path)))


def test_a_taken_port_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        port = foreign.getsockname()[1]
        assert port_is_taken(port)
        with pytest.raises(PortInUse, match=f"127.0.0.1:{port}.*--port"):
            emulator.start(Path(sys.executable), DataFolder(tmp_path / "data"), port=port)
    assert not (tmp_path / "data").exists()


def test_an_emulator_that_dies_at_once_is_quoted(tmp_path: Path) -> None:
    """This interpreter has no ministack."""
    with pytest.raises(EmulatorError, match="No module named 'ministack'"):
        emulator.start(Path(sys.executable), DataFolder(tmp_path), port=free_port())


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert free_port() in PORTS
    assert PORTS.stop <= 32768


def test_the_emulators_environment_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/of/caller")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    before = emulator.clean_environment(DataFolder(tmp_path), 20000)
    monkeypatch.undo()
    assert before == emulator.clean_environment(DataFolder(tmp_path), 20000)
    assert "secret" not in before.values()


def test_a_lock_excludes_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    told: list[bool] = []
    with (
        exclusive(path, timeout=1),
        pytest.raises(DataFolderError, match="still holds"),
        exclusive(path, timeout=0.1, waiting=lambda: told.append(True)),
    ):
        pytest.fail("two held it")
    assert told == [True]
    with exclusive(path, timeout=0):
        pass
