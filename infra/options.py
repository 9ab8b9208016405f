"""What the CDK context decides: name, machine, stage, snapshots and platform of a stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from infra.errors import OptionError

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")

_LARGEST_COUNT = 1_000_000_000

_LARGEST = {"quiet": 31_536_000, "minutes": 525_600, "bytes": 10**15}
"""The largest values of a policy's fields: a year, a petabyte."""

_LONGEST_ACTION = 20
"""Seconds; the executor keeps 25 of its 60 for its last action, the commit and the flush."""

_LONGEST_WINDOW = 300
"""Seconds: the longest batching window that Lambda offers."""

_LONGEST_DAYS = 365

_Choice = TypeVar("_Choice", bound=Enum)


class Stage(Enum):
    """How precious a stack is."""

    DEV = "dev"
    PROD = "prod"

    @property
    def keeps_data(self) -> bool:
        """Whether the data outlives a mistaken delete of the stack."""
        return self is Stage.PROD


class Platform(Enum):
    """For which machine the Lambda asset is built."""

    LAMBDA = "lambda"
    HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The context of one synthesis, checked.

    `count` is the number of blocks from one snapshot of a new machine to the next; 0 is off.
    `quiet` (seconds of silence), `minutes` and `bytes` call for snapshots besides; 0 is off.
    `action_seconds` is the time budget of one action, `archive_seconds` how long blocks gather on
    their way to the archive: what the loss of the table costs. Every `drill` days the rebuild of a
    machine is rehearsed; 0 is never.
    """

    stack: str = "Blockfold"
    machine: str = "machines.forest:Forest"
    stage: Stage = Stage.DEV
    platform: Platform = Platform.LAMBDA
    count: int = 100
    action_seconds: int = 5
    archive_seconds: int = 10
    quiet: int = 0
    minutes: int = 0
    bytes: int = 0
    drill: int = 0

    @property
    def policy(self) -> dict[str, int]:
        """The fields of a new machine's policy that promise something."""
        fields = {"quiet": self.quiet, "minutes": self.minutes, "bytes": self.bytes}
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_context(cls, lookup: Callable[[str], object]) -> Options:
        """Read the options by `lookup(key)`, where None stands for the default.

        Raises `OptionError` that names the context key and what it may be.
        """
        return cls(
            stack=_stack_name(_text(lookup, "stack", cls.stack)),
            machine=_text(lookup, "machine", cls.machine),
            stage=_choice(Stage, "stage", _text(lookup, "stage", cls.stage.value)),
            platform=_choice(Platform, "platform", _text(lookup, "platform", cls.platform.value)),
            count=_count(lookup("count"), cls.count),
            action_seconds=_seconds(
                "action_seconds", lookup, cls.action_seconds, range(1, _LONGEST_ACTION + 1)
            ),
            archive_seconds=_seconds(
                "archive_seconds", lookup, cls.archive_seconds, range(_LONGEST_WINDOW + 1)
            ),
            quiet=_most(lookup, "quiet"),
            minutes=_most(lookup, "minutes"),
            bytes=_most(lookup, "bytes"),
            drill=_days(lookup, "drill"),
        )


def _text(lookup: Callable[[str], object], key: str, default: str) -> str:
    value = lookup(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise OptionError(f"context {key!r} is {value!r}: write `-c {key}={default}`")
    return value


def _stack_name(name: str) -> str:
    if not _STACK_NAME.fullmatch(name):
        raise OptionError(
            f"context 'stack' is {name!r}: CloudFormation takes letters, digits and hyphens, "
            "a letter first, 128 at most"
        )
    return name


def _choice(kind: type[_Choice], key: str, value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        known = " or ".join(str(member.value) for member in kind)
        raise OptionError(f"context {key!r} is {value!r}: it may be {known}") from None


def _count(value: object, default: int) -> int:
    """A number in cdk.json, a text in `-c count=25`."""
    if value is None:
        return default
    text = str(value)
    if text == "none":
        return 0
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _LARGEST_COUNT:
        raise OptionError(
            f"context 'count' is {value!r}: write a whole number of blocks from 1 to "
            f"{_LARGEST_COUNT}, for example `-c count={default}`, or none for no snapshots"
        )
    return int(text)


def _days(lookup: Callable[[str], object], key: str) -> int:
    """A number of days in cdk.json, a text in `-c drill=7`."""
    value = lookup(key)
    if value is None or str(value) == "none":
        return 0
    if not re.fullmatch(r"[0-9]{1,3}", str(value)) or int(str(value)) > _LONGEST_DAYS:
        raise OptionError(
            f"context {key!r} is {value!r}: write whole days from 1 to {_LONGEST_DAYS}, for "
            f"example `-c {key}=7`, or none for none"
        )
    return int(str(value))


def _most(lookup: Callable[[str], object], key: str) -> int:
    """A field of a policy: a number in cdk.json, a text in `-c quiet=30`."""
    value = lookup(key)
    if value is None or str(value) == "none":
        return 0
    if not re.fullmatch(r"[0-9]{1,16}", str(value)) or int(str(value)) > _LARGEST[key]:
        raise OptionError(
            f"context {key!r} is {value!r}: write a whole number from 1 to {_LARGEST[key]}, "
            "or none for no such snapshots"
        )
    return int(str(value))


def _seconds(key: str, lookup: Callable[[str], object], default: int, may: range) -> int:
    """A number in cdk.json, a text in `-c action_seconds=10`."""
    value = lookup(key)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,3}", str(value)) or int(str(value)) not in may:
        raise OptionError(
            f"context {key!r} is {value!r}: write whole seconds from {may[0]} to {may[-1]}, "
            f"for example `-c {key}={default}`"
        )
    return int(str(value))
