"""``local.json``: what the local stack is, for people, scripts and the next command.

The fields at the top describe the stack that was brought up first; ``stacks`` has every stack of
the same emulator. The file stays after ``down`` (then ``pid`` is null), so that the next ``up``
takes the same port, machine and context.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from blockfold.local.errors import DataFolderError


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """One stack as deployed last: machine (None is the app's default), context, outputs."""

    machine: str | None
    context: dict[str, str]
    outputs: dict[str, str]


class StackFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``local.json``; paths are absolute."""

    endpoint: str
    region: str
    stack: str
    outputs: dict[str, str]
    machine: str | None
    pid: int | None
    port: int
    data: str
    log: str
    stacks: dict[str, Deployed]


def load(path: Path) -> StackFile | None:
    """The content of `path`; None when there is no such file.

    Raises:
        DataFolderError: The file cannot be read or is no stack file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=StackFile)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataFolderError(
            f"{path} cannot be read: {error}",
            hint="start over with --fresh, which writes it anew",
        ) from error


def save(path: Path, content: StackFile) -> None:
    """Replace `path` in one step: a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    scratch.replace(path)
