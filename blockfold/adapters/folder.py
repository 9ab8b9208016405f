"""Objects in a folder: for programs without S3, and for those that read the files in place."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from blockfold.domain.errors import (
    AccessDenied,
    BlockfoldError,
    BucketMissing,
    Misconfigured,
    StorageFull,
    Unavailable,
)
from blockfold.ports import Stored

_PARTIAL = ".partial"
"""Ends the name of a file that is being written; no key ends so."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


class FolderObjectStore:
    """An `ObjectStore` in a folder: a file an object, its key the path.

    Files appear whole or not at all, and stay when the machine loses power.

    Args:
        folder: Where they stand.
        create: Make the folder when the first is stored; if not, it must be there.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.folder = folder
        self._create = create

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`."""
        self._check()
        path = self.folder / key
        if path.exists():
            return False
        scratch = self._written(key, data)
        try:
            os.link(scratch, path)  # unlike a rename, it fails if the name is taken
            _sync(path.parent)
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
            self._check()
            return None
        except OSError as error:
            raise self._failed("read", key, error) from error

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        found = self._stored(key)
        if found is None:
            self._check()
        return found

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        self._check()
        for key in sorted(self._keys(prefix)):
            if (found := self._stored(key)) is not None:
                yield found

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        self._check()
        try:
            found = [each.name for each in os.scandir(self.folder / prefix) if each.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return iter(())
        except OSError as error:
            raise self._failed("list", prefix, error) from error
        return iter(sorted(found))

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace`."""
        self._check()
        scratch = self._written(key, data)
        try:
            scratch.replace(self.folder / key)
            _sync((self.folder / key).parent)
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

    def _check(self) -> None:
        """Make sure that the folder is one: nothing is missing in what cannot be looked into.

        Raises:
            BucketMissing: It is not there, and is not to be made.
            Misconfigured: Something else stands there.
        """
        if self.folder.is_dir():
            return
        there = next(each for each in _upwards(self.folder) if os.path.lexists(each))
        if not there.is_dir():
            raise Misconfigured(f"{there} is no folder", hint="name another one")
        if not self._create and there != self.folder:
            raise BucketMissing(f"there is no folder {self.folder}", hint="make it: create=True")

    def _keys(self, prefix: str) -> Iterator[str]:
        """The keys with a prefix, in no order."""
        parent, _, start = prefix.rpartition("/")
        waiting = [(parent, start)]
        while waiting:
            below, start = waiting.pop()
            try:
                with os.scandir(self.folder / below) as found:
                    chosen = [each for each in found if each.name.startswith(start)]
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise self._failed("list", below, error) from error
            for each in chosen:
                key = f"{below}/{each.name}" if below else each.name
                if each.is_dir():
                    waiting.append((key, ""))
                elif not key.endswith(_PARTIAL):
                    yield key

    def _written(self, key: str, data: bytes) -> Path:
        """The data in a file of another name beside the one that it will have."""
        path = self.folder / key
        scratch = path.with_name(f"{secrets.token_hex(8)}{_PARTIAL}")
        try:
            _make(path.parent)
            with scratch.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            with suppress(OSError):  # it may not be there
                scratch.unlink()
            raise self._failed("store", key, error) from error
        return scratch

    def _stored(self, key: str) -> Stored | None:
        try:
            found = (self.folder / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed("look up", key, error) from error
        return Stored(key, found.st_size, found.st_mtime_ns // 1_000_000)

    def _failed(self, verb: str, key: str, error: OSError) -> BlockfoldError:
        attempt = f"could not {verb} {self.folder / key}: {error}"
        if error.errno in _FULL:
            return StorageFull(attempt, hint="make room there; what was not stored is tried again")
        if error.errno in _DENIED:
            return AccessDenied(attempt, hint="make the folder yours, or name another one")
        if error.errno in _NO_FOLDER:
            return Misconfigured(attempt, hint="a file stands where a folder must be")
        if error.errno == errno.ENAMETOOLONG:
            return Misconfigured(attempt, hint="this file system takes shorter names only")
        return Unavailable(attempt)


def _upwards(folder: Path) -> tuple[Path, ...]:
    """A folder and those that it stands in."""
    return folder, *folder.absolute().parents


def _make(folder: Path) -> None:
    """Make a folder with its parents, each of them to stay."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
