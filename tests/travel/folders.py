"""An object store in a folder: what a program that reads the bucket's files sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class FolderObjectStore:
    """An `ObjectStore` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_new(self, key: str, data: bytes) -> bool:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return False
        path.write_bytes(data)
        return True

    def get(self, key: str) -> bytes | None:
        path = self.folder / key
        return path.read_bytes() if path.is_file() else None

    def list(self, prefix: str) -> Iterator[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        keys = (path.relative_to(self.folder).as_posix() for path in files)
        return iter(sorted(key for key in keys if key.startswith(prefix)))
