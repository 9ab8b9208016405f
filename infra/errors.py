"""What can be wrong with a synthesis before CloudFormation sees anything.

SynthError
├── OptionError       a context value that the stack does not know
├── MachineError      the machine named by the context cannot be used
└── DependencyError   the Lambda's dependencies cannot be installed
"""

from __future__ import annotations


class SynthError(Exception):
    """The stack cannot be synthesized; the message says what to change."""


class OptionError(SynthError):
    """A context value is unknown or ill-formed."""


class MachineError(SynthError):
    """The machine class is missing, does not import, or would not import in the Lambda."""


class DependencyError(SynthError):
    """pip could not install what `lambdas/requirements.txt` lists."""
