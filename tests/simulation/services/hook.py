"""The one way through which every operation of a simulated service goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from threading import RLock
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Answer = dict[str, Any]
Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service.

    Attributes:
        client: The attribute of `Clients` that it goes to: ``dynamodb``, ``s3``, ``sqs`` …
        operation: AWS's name of the operation: ``PutItem``.
        params: What boto3 was given.
    """

    client: str
    operation: str
    params: Params


class PartFailed(Exception):
    """A part of a batch fails; the service answers so in its own words for that part.

    Raise it from `Hook.part`, before ``do()`` or after it. Where AWS gives no reason (unprocessed
    items), the code is dropped.

    Attributes:
        code: The service's error code for the part.
    """

    def __init__(self, code: str = "InternalServerError", message: str = "simulated") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Hook(Protocol):
    """What happens around calls. Whatever it raises is what the caller of the client gets."""

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        """Make a call happen: ``return effect()``, with a fault before, after or instead of it."""
        ...

    def part(self, call: Call, index: int, do: Callable[[], T]) -> T:
        """Make one part of a batch happen, which is atomic by itself: ``return do()``."""
        ...


class Direct:
    """A hook without faults. Threads may share it: one call happens at a time."""

    def __init__(self) -> None:
        self._lock = RLock()

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        with self._lock:
            return effect()

    def part(self, call: Call, index: int, do: Callable[[], T]) -> T:
        return do()


class Client:
    """What the simulated clients have in common.

    Args:
        hook: What happens around calls.
    """

    client = ""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook


def operation(
    name: str, required: Iterable[str], optional: Iterable[str] = ()
) -> Callable[[Callable[[Any, Call], Answer]], Callable[..., Answer]]:
    """Make a method an operation, with the hook around it.

    A parameter that it does not name raises NotImplementedError: to pass over what a caller asks
    for would be a lie.

    Args:
        name: AWS's name of the operation.
        required: Parameters that AWS wants.
        optional: Others that are simulated.
    """
    wanted = frozenset(required)
    known = wanted | frozenset(optional)

    def decorate(function: Callable[[Any, Call], Answer]) -> Callable[..., Answer]:
        @wraps(function)
        def method(self: Client, **params: Any) -> Answer:
            if not wanted <= params.keys() <= known:
                missing, strange = wanted - params.keys(), params.keys() - known
                raise NotImplementedError(
                    f"{name} without {sorted(missing)}" if missing else f"{name} of {strange}"
                )
            call = Call(self.client, name, params)
            return self.hook.around(call, lambda: function(self, call))

        return method

    return decorate
