"""The emulator's own Python: a virtual environment beside the project's, made on demand.

ministack pins ``botocore`` exactly, so it cannot live in the project's environment. The folder
holds a stamp of what was installed, so a second call finds it ready and installs nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from blockfold.local.errors import InterpreterError
from blockfold.local.locks import exclusive

REQUIREMENTS = Path(__file__).with_name("emulator-requirements.txt")
STAMP = "blockfold.stamp"
LOCK = "blockfold.lock"
LOCK_SECONDS = 600.0
INSTALL_SECONDS = 600.0
TAIL_LINES = 12


def default_folder() -> Path:
    """``<environment>-emulator`` beside the running virtual environment, else a cache folder."""
    if sys.prefix != sys.base_prefix:
        return Path(f"{sys.prefix}-emulator")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Path.home() / ".cache" / "blockfold" / f"emulator-{version}"


def python_of(folder: Path) -> Path:
    """The interpreter inside the virtual environment `folder`."""
    return folder / "bin" / "python"


def fingerprint(requirements: Path = REQUIREMENTS) -> str:
    """Hash of the pinned packages and of the Python they are installed for."""
    digest = hashlib.sha256(requirements.read_bytes())
    digest.update(f"\n{sys.version}\n{sys.base_prefix}\n".encode())
    return digest.hexdigest()


def is_ready(folder: Path, requirements: Path = REQUIREMENTS) -> bool:
    """Whether `folder` holds exactly the pinned packages for this Python."""
    try:
        stamp = (folder / STAMP).read_text()
    except OSError:
        return False
    return stamp == fingerprint(requirements) and python_of(folder).exists()


def ensure(
    report: Callable[[str], None],
    *,
    folder: Path | None = None,
    requirements: Path = REQUIREMENTS,
) -> Path:
    """Return the emulator's interpreter, making its environment first when needed.

    Safe when several processes ask at once: one installs, the others wait for it.

    Raises:
        InterpreterError: The environment or its packages could not be installed.
    """
    folder = folder or default_folder()
    if is_ready(folder, requirements):
        return python_of(folder)
    with exclusive(
        folder / LOCK,
        timeout=LOCK_SECONDS,
        waiting=lambda: report("waiting for another command to install the emulator"),
    ):
        if not is_ready(folder, requirements):
            report(f"installing the emulator into {folder} (once)")
            _install(folder, requirements)
    return python_of(folder)


def _install(folder: Path, requirements: Path) -> None:
    (folder / STAMP).unlink(missing_ok=True)
    for entry in folder.iterdir():  # what an interrupted or older installation left, but the lock
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()
    _run([sys.executable, "-m", "venv", str(folder)], folder)
    _run(
        [
            *(str(python_of(folder)), "-m", "pip", "install", "--no-deps", "--no-input"),
            *("--disable-pip-version-check", "--quiet", "--requirement", str(requirements)),
        ],
        folder,
    )
    (folder / STAMP).write_text(fingerprint(requirements))


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(
            f"making the emulator's environment {folder} failed: {error}",
            hint="check the disk and the network, then run the command again",
        ) from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise InterpreterError(
            f"making the emulator's environment {folder} failed "
            f"({' '.join(command[1:4])} … exit {done.returncode}):\n{tail}",
            hint="check that the package index can be reached, then run the command again",
        )
