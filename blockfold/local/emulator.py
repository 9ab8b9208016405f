"""The emulator process: started detached, watched until it answers, stopped gracefully."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blockfold.local import processes, savepoint
from blockfold.local.errors import DataFolderError, EmulatorError
from blockfold.local.folder import DataFolder
from blockfold.local.network import (
    HOST,
    REGION,
    endpoint_of,
    is_healthy,
    port_in_use,
    port_is_taken,
)

SERVE = Path(__file__).with_name("serve.py")
START_SECONDS = 30.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.05
TAIL_LINES = 15
LOG_BYTES = 16 * 1024 * 1024
UNREADABLE_STATE = ("Persistence: failed to load", "Failed to restore persisted state", "refusing")


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator: its process, port and data."""

    pid: int
    port: int
    folder: DataFolder

    @property
    def endpoint(self) -> str:
        """What AWS clients take as ``AWS_ENDPOINT_URL``."""
        return endpoint_of(self.port)


def mark_of(folder: DataFolder) -> str:
    """The part of the command line that tells the emulator of `folder` from any other process."""
    return f"{SERVE} {folder.emulator}"


def recorded(folder: DataFolder) -> tuple[int, int] | None:
    """Process id and port of the last emulator of `folder`; None if there was none."""
    try:
        pid, port = folder.process.read_text().split()
        return int(pid), int(port)
    except (OSError, ValueError):
        return None


def find(folder: DataFolder) -> Emulator | None:
    """The running emulator of `folder`; a stale record, or a stranger with its id, is None."""
    record = recorded(folder)
    if record is None or not processes.is_ours(record[0], mark_of(folder)):
        return None
    return Emulator(*record, folder)


def start(
    python: Path,
    folder: DataFolder,
    *,
    port: int,
    warn: Callable[[str], None] = lambda _: None,
) -> Emulator:
    """Start the emulator of `folder`, detached, and return when it answers.

    Args:
        python: The emulator's interpreter (see interpreter.py).
        folder: Its data; what a graceful stop left there is served again.
        port: The port of 127.0.0.1 to listen on.
        warn: Told when data was lost because the emulator had been killed.

    Raises:
        PortInUse: Something listens on `port` already.
        EmulatorError: The process died or did not answer in time; the log's tail is in the message.
        DataFolderError: The data cannot be read.
    """
    if port_is_taken(port):
        raise port_in_use(port)
    previous = recorded(folder)
    moved = None if previous is None else (endpoint_of(previous[1]), endpoint_of(port))
    savepoint.prepare(folder, moved=moved, warn=warn)
    _rotate(folder.log)
    begin = folder.log.stat().st_size if folder.log.exists() else 0
    with folder.log.open("ab") as log:
        process = subprocess.Popen(
            [str(python), str(SERVE), str(folder.emulator)],
            cwd=folder.emulator,
            env=clean_environment(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not is_healthy(port):
        if process.poll() is not None:
            raise EmulatorError(
                f"the emulator ended at once with exit code {process.returncode}; "
                f"its log {folder.log} ends with:\n{tail(folder.log, begin)}",
                hint="mend what the log names, or start over with --fresh",
            )
        if time.monotonic() >= deadline:
            process.kill()
            process.wait()
            raise EmulatorError(
                f"the emulator did not answer on port {port} within {START_SECONDS:.0f} s; "
                f"its log {folder.log} ends with:\n{tail(folder.log, begin)}",
                hint="try again; a busy machine may need a second start",
            )
        time.sleep(POLL_SECONDS)
    emulator = Emulator(process.pid, port, folder)
    process.returncode = 0  # detached on purpose: it outlives this process, so nobody waits for it
    _refuse_unread_state(emulator, begin)
    return emulator


def stop(emulator: Emulator) -> None:
    """Stop gracefully, so that the data is saved; nothing happens when it is gone already.

    Raises:
        EmulatorError: It still runs after a minute, or could not save its data whole.
    """
    mark = mark_of(emulator.folder)
    if not processes.is_ours(emulator.pid, mark):
        return
    processes.ask_to_stop(emulator.pid)
    if not processes.wait_until_gone(emulator.pid, mark, timeout=STOP_SECONDS):
        raise EmulatorError(
            f"the emulator (process {emulator.pid}) did not stop within {STOP_SECONDS:.0f} s",
            hint=f"it may still be saving: look at {emulator.folder.log}, then run down again",
        )
    if not emulator.folder.clean.exists():
        raise EmulatorError(
            f"the emulator stopped without saving all of its data; its log ends with:\n"
            f"{tail(emulator.folder.log, 0)}",
            hint="the next up goes back to the data of the graceful stop before",
        )


def destroy(emulator: Emulator) -> None:
    """End the emulator at once; what it has not saved is lost.

    Raises:
        EmulatorError: The process does not go away.
    """
    processes.kill(emulator.pid)
    mark = mark_of(emulator.folder)
    if not processes.wait_until_gone(emulator.pid, mark, timeout=STOP_SECONDS):
        raise EmulatorError(
            f"the emulator (process {emulator.pid}) cannot be killed",
            hint="it may hang in the operating system; a restart of the machine ends it",
        )


def clean_environment(folder: DataFolder, port: int) -> dict[str, str]:
    """The emulator's whole environment.

    It hands its environment to the Lambdas, so nothing of the caller's is in it: no credentials,
    profiles, proxies or endpoints, and a home without any configuration of AWS clients.
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder.emulator),
        "TMPDIR": str(folder.temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": savepoint.ACCOUNT,
        "DOCKER_HOST": f"unix://{folder.emulator}/no-docker.sock",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder.objects),
    }


def tail(log: Path, begin: int) -> str:
    """The last lines of `log` after byte `begin`; never fails."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(begin)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
    return "(no log)"


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def _refuse_unread_state(emulator: Emulator, begin: int) -> None:
    """Stop again when the emulator could not load a service's data and came up without it."""
    with emulator.folder.log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").splitlines()
    bad = [line for line in lines if any(mark in line for mark in UNREADABLE_STATE)]
    if not bad:
        return
    destroy(emulator)  # not gracefully: that would save the half-empty world
    raise DataFolderError(
        f"the emulator could not read its data in {emulator.folder.state}:\n" + "\n".join(bad),
        hint="start over with --fresh, which deletes the local data",
    )
