"""Processes by id, told apart from strangers that were given the same id later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

POLL_SECONDS = 0.05


def command_line(pid: int) -> str | None:
    """The command line of a live process, its arguments parted by spaces; None when it is gone.

    A process that has ended but was not collected by its parent counts as gone.
    """
    if pid <= 0:
        return None
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.parent.parent.is_dir() and Path("/proc/self").exists():
        try:
            raw = proc.read_bytes()
        except OSError:
            return None
        return raw.replace(b"\0", b" ").decode(errors="replace").strip() or None
    found = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    state, _, command = found.partition(" ")
    return None if not found or state.startswith("Z") else command.strip()


def is_ours(pid: int | None, mark: str) -> bool:
    """Whether `pid` is alive and its command line holds `mark`."""
    if pid is None:
        return False
    command = command_line(pid)
    return command is not None and mark in command


def wait_until_gone(pid: int, mark: str, *, timeout: float) -> bool:
    """Wait until no process `pid` with `mark` is left; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while is_ours(pid, mark):
        if time.monotonic() >= deadline:
            return False
        _collect(pid)
        time.sleep(POLL_SECONDS)
    return True


def ask_to_stop(pid: int) -> None:
    """Send SIGTERM; a process that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def kill(pid: int) -> None:
    """End a process at once, without a chance to save; one that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _collect(pid: int) -> None:
    """Collect `pid` if it is an ended child of ours, so that it does not linger as a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
