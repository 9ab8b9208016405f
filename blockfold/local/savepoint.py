"""Consistent data across stops, kills and moves of the emulator.

ministack writes S3 objects as they are put but everything else only at a graceful stop. After a
kill its tables would be those of the last stop beside newer objects: a world that never existed.
So the data of each graceful stop is kept (as hard links: every file is replaced, never rewritten)
and an unclean start goes back to it. Three more things are mended on the way: stream positions
that outlive their stream, messages in flight to Lambdas that are gone, and queue URLs that hold
an old port.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blockfold.local.errors import DataFolderError
from blockfold.local.folder import DataFolder

ACCOUNT = "000000000000"
FILES_WITH_QUEUE_URLS = ("sqs.json", "cloudformation.json", "lambda.json")


def prepare(
    folder: DataFolder, *, moved: tuple[str, str] | None, warn: Callable[[str], None]
) -> None:
    """Make the data ready for a start of the emulator, which must not be running.

    Args:
        folder: The data folder; made when missing.
        moved: The endpoint that the data was served at before and the one that it will be served
            at now; None when it was never served.
        warn: Told in one sentence when data since the last graceful stop is lost.

    Raises:
        DataFolderError: A state file cannot be read.
    """
    shutil.rmtree(folder.temporary, ignore_errors=True)
    if folder.clean.exists():
        _save(folder)
    elif folder.saved.is_dir():
        warn(
            "the emulator did not stop gracefully last time: "
            "going back to the data of its last graceful stop"
        )
        _go_back(folder)
    elif folder.state.exists() or folder.objects.exists():
        warn("the emulator was killed before its first graceful stop: starting empty")
        shutil.rmtree(folder.state, ignore_errors=True)
        shutil.rmtree(folder.objects, ignore_errors=True)
    folder.clean.unlink(missing_ok=True)
    for part in (folder.state, folder.objects, folder.temporary):
        part.mkdir(parents=True, exist_ok=True)
    _forget_stream_positions(folder.state / "lambda.json")
    _release_messages(folder.state / "sqs.json")
    if moved is not None and moved[0] != moved[1]:
        for name in FILES_WITH_QUEUE_URLS:
            _move(folder.state / name, *moved)


def _save(folder: DataFolder) -> None:
    fresh = folder.saved.with_name(f"{folder.saved.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for part in (folder.state, folder.objects):
        if part.is_dir():
            shutil.copytree(part, fresh / part.name, copy_function=_link)
    shutil.rmtree(folder.saved, ignore_errors=True)
    if fresh.is_dir():
        fresh.rename(folder.saved)


def _go_back(folder: DataFolder) -> None:
    for part in (folder.state, folder.objects):
        shutil.rmtree(part, ignore_errors=True)
        kept = folder.saved / part.name
        if kept.is_dir():
            shutil.copytree(kept, part, copy_function=_link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
    return target


def _forget_stream_positions(path: Path) -> None:
    """Let stream readers start over: the emulator keeps their positions but not the streams.

    A kept position lies beyond the end of the new, empty stream, so as many records as it
    counts would be skipped. A reader with TRIM_HORIZON then misses nothing that is written later.
    """
    if not path.exists():
        return
    document = _read(path)
    payload = _dict(document, "payload")
    for name in ("dynamodb_stream_positions", "kinesis_positions"):
        payload.pop(name, None)
    _replace(path, json.dumps(document))


def _release_messages(path: Path) -> None:
    """Make received messages visible: nobody who received them is alive to delete them.

    Otherwise their groups would stand still for the rest of the visibility time-out.
    """
    if not path.exists():
        return
    document = _read(path)
    for queue in _dict(document, "payload", "queues", "data").values():
        for message in queue.get("messages", ()):
            if message.get("receive_count"):
                message["visible_at"] = 0
    _replace(path, json.dumps(document))


def _dict(document: object, *path: str) -> dict[str, Any]:
    """The object at `path` inside a JSON document; empty when the document has no such part."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _move(path: Path, old: str, new: str) -> None:
    """Rewrite the queue URLs of endpoint `old` to endpoint `new`."""
    if path.exists():
        text = path.read_text()
        _replace(path, text.replace(f"{old}/{ACCOUNT}/", f"{new}/{ACCOUNT}/"))


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataFolderError(
            f"the emulator's state file {path} cannot be read: {error}",
            hint="start over with --fresh, which deletes the local data",
        ) from error


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(f"{path.name}.tmp")
    scratch.write_text(text)
    scratch.replace(path)
