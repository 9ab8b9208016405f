"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from blockfold.domain.errors import Misconfigured, Refused, Unavailable


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """A stream whose content stands under a path once the body has ended without an error.

    Until then it is a hidden file ``.<name>.<random>.partial`` beside it, deleted on any error.

    Args:
        path: Where the file will stand.
        force: Replace a file that stands there.

    Raises:
        Refused: A file stands there; nothing was written.
        Misconfigured: Its folder is missing or cannot be written to.
        Unavailable: Writing failed.
    """
    _check_free(path, force=force)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        stream = scratch.open("xb")
    except OSError as error:
        raise Misconfigured(
            f"cannot write to {path.parent}: {error}", hint="name a folder that exists and is yours"
        ) from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _check_free(path, force=force)
        scratch.replace(path)
    except OSError as error:
        raise Unavailable(f"could not write {path}: {error}", hint="is the disk full?") from error
    finally:
        scratch.unlink(missing_ok=True)


def _check_free(path: Path, *, force: bool) -> None:
    if path.exists() and not path.is_file():
        raise Misconfigured(f"{path} is no plain file", hint="name a file, or - for stdout")
    if not force and path.exists():
        raise Refused(f"{path} exists already", hint="name another file, or replace it: --force")
