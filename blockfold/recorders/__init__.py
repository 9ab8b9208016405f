"""Recorders: what keeps snapshots of a machine that runs as a plain object.

`S3Recorder` and `S3Bucket` need boto3; they are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from blockfold.recorders.file import FileRecorder
from blockfold.recorders.memory import MemoryRecorder
from blockfold.recorders.object_recorder import ObjectRecorder
from blockfold.recorders.protocol import (
    CAPABILITIES,
    Capability,
    CreatesSnapshots,
    Frame,
    KeepsLog,
    ListsSnapshots,
    LoadsSnapshots,
    Recorder,
    capabilities,
)
from blockfold.recorders.snapshot import Snapshot

if TYPE_CHECKING:
    from blockfold.adapters.bucket import S3Bucket
    from blockfold.recorders.s3 import S3Recorder

__all__ = [
    "CAPABILITIES",
    "Capability",
    "CreatesSnapshots",
    "FileRecorder",
    "Frame",
    "KeepsLog",
    "ListsSnapshots",
    "LoadsSnapshots",
    "MemoryRecorder",
    "ObjectRecorder",
    "Recorder",
    "S3Bucket",
    "S3Recorder",
    "Snapshot",
    "capabilities",
]

_LATER = {"S3Bucket": "blockfold.adapters.bucket", "S3Recorder": "blockfold.recorders.s3"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
