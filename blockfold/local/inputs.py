"""When synthesizing again would write the same: a fingerprint of all that ``app.py`` can read.

It covers every file of the project that is not output, a cache or an environment, the context,
the Python and the installed packages. What lies outside of the project cannot be watched, so a
machine from there has no fingerprint and is synthesized each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

OUTPUT_FOLDERS = frozenset({"__pycache__", "build", "dist", "node_modules", "docs", "tests"})
OUTPUT_PREFIXES = (".", "cdk.out")
OUTPUT_SUFFIXES = (".egg-info", ".pyc")


def fingerprint(root: Path, context: Mapping[str, str]) -> str | None:
    """Hash of everything that a synthesis of the project `root` depends on.

    None when the machine's code lies outside of the project.
    """
    machine = context.get("machine")
    if machine is not None and not _inside(root, machine):
        return None
    digest = hashlib.sha256()
    digest.update(json.dumps([sorted(context.items()), sys.version, platform.machine()]).encode())
    digest.update("\n".join(_packages()).encode())
    for path in sorted(_files(root)):
        digest.update(f"\0{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _inside(root: Path, machine: str) -> bool:
    """Whether the code of `machine` (``module:Class`` or ``file.py:Class``) is watched."""
    place = machine.rpartition(":")[0]
    path = (root / place).resolve()
    if not place.endswith(".py"):
        top = place.partition(".")[0]
        found = (root / top, root / f"{top}.py")
        path = next((candidate for candidate in found if candidate.exists()), Path("/"))
    if not path.is_relative_to(root.resolve()):
        return False
    parts = path.relative_to(root.resolve()).parts
    return not any(_is_output(part) for part in parts)


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_output(name)]
        paths = (Path(folder, name) for name in files if not _is_output(name))
        yield from (path for path in paths if path.is_file())  # no socket of an editor or kernel


def _is_output(name: str) -> bool:
    return (
        name in OUTPUT_FOLDERS or name.startswith(OUTPUT_PREFIXES) or name.endswith(OUTPUT_SUFFIXES)
    )


def _packages() -> list[str]:
    return sorted(f"{found.name}=={found.version}" for found in metadata.distributions())
