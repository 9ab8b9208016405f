"""The stack of the cloud on this machine: the same template, in an emulator of AWS.

`up` synthesizes the project's ``app.py``, starts the emulator and deploys; `down` stops it and
keeps the data. Everything lies in one data folder (see folder.py).
"""

from __future__ import annotations

from blockfold.local.errors import (
    DataFolderError,
    DeploymentError,
    EmulatorError,
    InterpreterError,
    LocalStackError,
    PortInUse,
    SynthesisError,
)
from blockfold.local.stack import (
    DEFAULT_STACK,
    down,
    status,
    up,
)
from blockfold.local.views import LocalStack, LocalStatus, environment

__all__ = [
    "DEFAULT_STACK",
    "DataFolderError",
    "DeploymentError",
    "EmulatorError",
    "InterpreterError",
    "LocalStack",
    "LocalStackError",
    "LocalStatus",
    "PortInUse",
    "SynthesisError",
    "down",
    "environment",
    "status",
    "up",
]
