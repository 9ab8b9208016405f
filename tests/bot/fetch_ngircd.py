"""Bring ngircd, an IRC server that networks run, from Debian: pinned, checked, not installed.

``python -m tests.bot.fetch_ngircd FOLDER`` prints the program's path. Nothing needs root. It needs
Debian 12 on amd64 and its mirror; elsewhere, name an ngircd of your own in BLOCKFOLD_NGIRCD.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = (
    (
        "ngircd=26.1-1+deb12u1",
        "4ccc22796f40f8a034415096d10841ac043297364ba7ba40de6805bd63aeeda4",
    ),
    (
        "libident=0.32-1",
        "252b9d0edc0d4e5736141268049addc74005cb40de818919d48b01850c847d78",
    ),
)
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def main() -> int:
    """Fetch and unpack; 0 if it is there."""
    folder = Path(sys.argv[1]).resolve()
    program = folder / "ngircd"
    if not program.is_file():
        try:
            _bring(folder, program)
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            sys.stderr.write(f"ngircd cannot be had here: {error}\n{__doc__}")
            return 1
    sys.stdout.write(f"{program}\n")
    return 0


def _bring(folder: Path, program: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for package, sha256 in PACKAGES:
        subprocess.run(
            ["apt-get", "download", "--quiet", "--quiet", package], cwd=folder, check=True
        )
        (found,) = folder.glob(f"{package.partition('=')[0]}_*.deb")
        if hashlib.sha256(found.read_bytes()).hexdigest() != sha256:
            raise ValueError(f"{found.name} is not the file that was pinned")
        subprocess.run(["dpkg-deb", "--extract", found, folder / "root"], check=True)
    libraries, server = folder / "root" / LIBRARIES, folder / "root" / "usr/sbin/ngircd"
    program.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{server}" "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
