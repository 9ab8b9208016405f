"""Objects in a folder: for programs without S3, and for those that read the files in place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from blockfold.domain.errors import Unavailable
from blockfold.ports import Stored

_PARTIAL = ".partial"
"""Ends the name of a file that is being written; no key ends so."""


class FolderObjectStore:
    """An `ObjectStore` in a folder: a file an object, its key the path.

    Files appear whole or not at all, and stay when the machine loses power.

    Args:
        folder: Where they stand; made when the first is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        scratch = self._written(key, data)
        try:
            os.link(scratch, self.folder / key)  # unlike a rename, it fails if the name is taken
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed("store", key, error) from error
        finally:
            scratch.unlink(missing_ok=True)
        return True

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        try:
            return (self.folder / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise self._failed("read", key, error) from error

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        return self._stored(self.folder / key)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        parent = self.folder / prefix.rpartition("/")[0]
        files = (Path(root, name) for root, _, names in os.walk(parent) for name in names)
        keys = sorted(file.relative_to(self.folder).as_posix() for file in files)
        for key in keys:
            if not key.startswith(prefix) or key.endswith(_PARTIAL):
                continue
            if (found := self._stored(self.folder / key)) is not None:
                yield found

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        parent = self.folder / prefix
        if not parent.is_dir():
            return iter(())
        return iter(sorted(path.name for path in parent.iterdir() if path.is_dir()))

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace`."""
        scratch = self._written(key, data)
        try:
            scratch.replace(self.folder / key)
        except OSError as error:
            raise self._failed("store", key, error) from error
        finally:
            scratch.unlink(missing_ok=True)

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore.delete`."""
        for key in keys:
            try:
                (self.folder / key).unlink(missing_ok=True)
            except OSError as error:
                raise self._failed("delete", key, error) from error

    def _written(self, key: str, data: bytes) -> Path:
        """The data in a file of another name beside the one that it will have."""
        path = self.folder / key
        scratch = path.with_name(f"{secrets.token_hex(8)}{_PARTIAL}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise self._failed("store", key, error) from error
        return scratch

    def _stored(self, path: Path) -> Stored | None:
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        key = path.relative_to(self.folder).as_posix()
        return Stored(key, found.st_size, found.st_mtime_ns // 1_000_000)

    def _failed(self, verb: str, key: str, error: OSError) -> Unavailable:
        return Unavailable(f"could not {verb} {self.folder / key}: {error}")
