"""The Lambda's third-party dependencies, installed once per set and kept under `build/`."""

from __future__ import annotations

import hashlib
import json
import os
import platform as host
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.errors import DependencyError
from infra.options import Platform

LAMBDA_PYTHON = "3.14"
"""Python of the managed runtime that the functions run on; `infra.function` holds the runtime."""

_FORMAT = 1
"""Raised when `_tidy` changes, so that older caches are not taken."""

# The runtime is Amazon Linux 2023 (glibc 2.34) on Graviton: these wheel tags run there.
_LAMBDA_WHEELS = (
    "--platform=manylinux2014_aarch64",
    "--platform=manylinux_2_17_aarch64",
    "--platform=manylinux_2_28_aarch64",
    "--only-binary=:all:",
    f"--python-version={LAMBDA_PYTHON}",
    "--implementation=cp",
)


def installed(requirements: Path, *, platform: Platform, cache: Path) -> Path:
    """Return a directory that holds `requirements` for `platform`, installing it the first time.

    The directory is shared and must not be written to. Two processes may ask at once.
    Raises `DependencyError` with pip's words when pip fails.
    """
    home = cache / _key(requirements, platform)
    if home.is_dir():
        return home
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=cache) as scratch:
        fresh = Path(scratch) / "site"
        _install(requirements, fresh, platform)
        _tidy(fresh)
        try:
            fresh.rename(home)
        except OSError:
            if not home.is_dir():  # otherwise another process was first, with the same content
                raise
    return home


def _key(requirements: Path, platform: Platform) -> str:
    wanted = [_FORMAT, platform.value, requirements.read_text(encoding="utf-8")]
    if platform is Platform.LAMBDA:
        wanted += _LAMBDA_WHEELS
    else:
        wanted += [sys.implementation.cache_tag or "", sys.platform, host.machine()]
    digest = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
    return f"{platform.value}-{digest[:16]}"


def _install(requirements: Path, target: Path, platform: Platform) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--disable-pip-version-check", "--no-input"]
    command += [f"--target={target}", f"--requirement={requirements}"]
    if platform is Platform.LAMBDA:
        command += _LAMBDA_WHEELS
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_quiet_pip())
    if done.returncode:
        raise DependencyError(_failure(requirements, platform, done.stderr))


def _quiet_pip() -> dict[str, str]:
    """The caller's environment without what would send `--target` elsewhere."""
    return {k: v for k, v in os.environ.items() if k not in {"PIP_USER", "PIP_PREFIX", "PIP_ROOT"}}


def _failure(requirements: Path, platform: Platform, stderr: str) -> str:
    said = [line for line in stderr.splitlines() if line.startswith("ERROR:")] or [stderr.strip()]
    if "No module named pip" in stderr:
        way_out = f"this Python has no pip: run `{sys.executable} -m ensurepip`"
    elif "No matching distribution" in stderr and platform is Platform.LAMBDA:
        way_out = (
            f"each must have a wheel for Python {LAMBDA_PYTHON} on Linux aarch64; "
            "without network, pip finds none at all"
        )
    else:
        way_out = "check the network, pip's configuration and the pins, then run it again"
    return "\n".join(
        [f"cannot install {requirements} for platform {platform.value}: {way_out}", *said]
    )


def _tidy(site: Path) -> None:
    """Drop what no Lambda needs and what differs between two machines with the same packages.

    Scripts name the interpreter that installed them, and RECORD holds their hashes. CPython takes
    zstandard's C backend; its cffi twin would double the asset.
    """
    shutil.rmtree(site / "bin", ignore_errors=True)
    for pattern in ("*.dist-info/RECORD", "*.dist-info/direct_url.json", "zstandard/_cffi.*"):
        for file in site.glob(pattern):
            file.unlink()
