"""Folders as zip files, the same bytes for the same content."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644
PROGRAM_MODE = 0o100755


def zipped(folder: Path) -> bytes:
    """The zip of `folder`: sorted names, no times, no owners, executable bits kept.

    Stored without compression: the archive only travels inside this machine, and each cold start
    of a Lambda unpacks it.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.create_system = 3  # Unix, so that the mode counts
            mode = PROGRAM_MODE if os.access(path, os.X_OK) else FILE_MODE
            entry.external_attr = mode << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
