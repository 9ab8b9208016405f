"""A deployed stack, seen by an application or the command line: ``docs/reading.md``.

>>> from blockfold.client import connect
>>> grove = connect("Blockfold").machine("grove")  # doctest: +SKIP
>>> grove.state().get("tree/t1")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from blockfold.application.outcomes import ActionOutcome
from blockfold.client.machine import KeyVersion, MachineReader
from blockfold.client.stack import STACK_VARIABLE, Stack, connect, of_local
from blockfold.client.state import StateReader

if TYPE_CHECKING:
    from blockfold.client.asynchronous import AsyncMachineReader, AsyncStateReader

__all__ = [
    "STACK_VARIABLE",
    "ActionOutcome",
    "AsyncMachineReader",
    "AsyncStateReader",
    "KeyVersion",
    "MachineReader",
    "Stack",
    "StateReader",
    "connect",
    "of_local",
]


def __getattr__(name: str) -> Any:
    """What needs asyncio, when it is first asked for."""
    if name in ("AsyncMachineReader", "AsyncStateReader"):
        from blockfold.client import asynchronous  # noqa: PLC0415 - see Stack.async_machine

        return getattr(asynchronous, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
