"""Blockfold: a serverless state machine on AWS that remembers everything.

What runs a machine in this process, typed records and producers are imported when they are first
asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from blockfold.domain.action import Action, Message
from blockfold.domain.block import Block, Head
from blockfold.domain.context import Context
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.execute import execute
from blockfold.domain.limits import Limits
from blockfold.domain.machine import Machine, Reject, action
from blockfold.domain.state import State

if TYPE_CHECKING:
    from blockfold.adapters.manual_clock import ManualClock
    from blockfold.producer import AsyncProducer, Producer
    from blockfold.recorders import FileRecorder, MemoryRecorder
    from blockfold.records import Record
    from blockfold.runtime import AsyncRuntime, JsonlChannel, MemoryChannel, Runtime

__all__ = [
    "Action",
    "AsyncProducer",
    "AsyncRuntime",
    "Block",
    "BlockfoldError",
    "Context",
    "FileRecorder",
    "Head",
    "JsonlChannel",
    "Limits",
    "Machine",
    "ManualClock",
    "MemoryChannel",
    "MemoryRecorder",
    "Message",
    "Producer",
    "Record",
    "Reject",
    "Runtime",
    "State",
    "action",
    "execute",
]

__version__ = "0.1.0"

_LATER = {
    "AsyncProducer": "blockfold.producer",
    "AsyncRuntime": "blockfold.runtime",
    "FileRecorder": "blockfold.recorders",
    "JsonlChannel": "blockfold.runtime",
    "ManualClock": "blockfold.adapters.manual_clock",
    "MemoryChannel": "blockfold.runtime",
    "MemoryRecorder": "blockfold.recorders",
    "Producer": "blockfold.producer",
    "Record": "blockfold.records",
    "Runtime": "blockfold.runtime",
}
"""Where the names are that nothing else here needs."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
