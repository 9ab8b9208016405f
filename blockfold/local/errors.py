"""What can go wrong between the project folder and a running local stack.

::

    BlockfoldError
    └── LocalStackError           anything below
        ├── InterpreterError      the emulator's virtual environment could not be made
        ├── SynthesisError        app.py gave no cloud assembly, or an unreadable one
        ├── EmulatorError         the emulator did not start, answer or stop
        │   └── PortInUse         another process listens on the port
        ├── DeploymentError       CloudFormation refused or rolled back the stack
        └── DataFolderError       the data folder is busy, damaged or not ours
"""

from __future__ import annotations

from blockfold.domain.errors import BlockfoldError


class LocalStackError(BlockfoldError):
    """Base of the errors of the local stack."""


class InterpreterError(LocalStackError):
    """The emulator's own virtual environment could not be made."""


class SynthesisError(LocalStackError):
    """``app.py`` failed, or what it wrote is no cloud assembly that can be deployed."""


class EmulatorError(LocalStackError):
    """The emulator did not start, answer or stop as asked."""


class PortInUse(EmulatorError):
    """Another process listens on the port that the emulator needs."""


class DeploymentError(LocalStackError):
    """CloudFormation refused the template, or a resource failed."""


class DataFolderError(LocalStackError):
    """The data folder is used by another command, damaged, or cannot be written."""
