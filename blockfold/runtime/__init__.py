"""The machine as a plain object: the user's class with a reader, a writer and a recorder.

`SqsChannel` needs boto3, `JsonlChannel` a POSIX system; they are imported when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from blockfold.adapters.manual_clock import ManualClock
from blockfold.adapters.system import AlarmGuard, SystemClock
from blockfold.runtime.aio import AsyncRuntime
from blockfold.runtime.booting import Booted
from blockfold.runtime.cursor import Cursor
from blockfold.runtime.dumper import RuntimeDumper
from blockfold.runtime.frames import Frame, Frames
from blockfold.runtime.memory_channel import MemoryChannel
from blockfold.runtime.ports import Begins, Channel, Closes, Reader, Writer
from blockfold.runtime.replay import Replayed
from blockfold.runtime.runtime import Runtime
from blockfold.runtime.session import NotRecorded
from blockfold.runtime.view import StateView
from blockfold.runtime.written import Written

if TYPE_CHECKING:
    from blockfold.runtime.jsonl_channel import JsonlChannel
    from blockfold.runtime.sqs_channel import SqsChannel

__all__ = [
    "AlarmGuard",
    "AsyncRuntime",
    "Begins",
    "Booted",
    "Channel",
    "Closes",
    "Cursor",
    "Frame",
    "Frames",
    "JsonlChannel",
    "ManualClock",
    "MemoryChannel",
    "NotRecorded",
    "Reader",
    "Replayed",
    "Runtime",
    "RuntimeDumper",
    "SqsChannel",
    "StateView",
    "SystemClock",
    "Writer",
    "Written",
]

_LATER = {
    "JsonlChannel": "blockfold.runtime.jsonl_channel",
    "SqsChannel": "blockfold.runtime.sqs_channel",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
