"""The same folder gives the same zip."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from blockfold.local.archives import zipped


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / names[0]).chmod(0o600)
    return folder


def test_order_times_and_owners_leave_no_trace(tmp_path: Path) -> None:
    names = ["b.py", "a/z.py", "a/b.py"]
    first = fill(tmp_path / "first", names)
    second = fill(tmp_path / "second", names)
    (second / "b.py").unlink()
    fill(second, ["b.py"])
    os.utime(second / "a" / "z.py", (1, 1))

    assert zipped(first) == zipped(second)


def test_names_contents_and_executable_bits_are_kept(tmp_path: Path) -> None:
    folder = fill(tmp_path, ["plain.py", "program"])
    (folder / "program").chmod(0o700)

    with zipfile.ZipFile(io.BytesIO(zipped(folder))) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
        assert archive.read("plain.py") == b"plain.py"

    assert modes == {"plain.py": 0o644, "program": 0o755}
