"""Payloads of functions: services send what they document, people may send anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from blockfold.domain.errors import Misconfigured


@contextmanager
def reading(what: str) -> Iterator[None]:
    """A context in which a payload is read: what it lacks is an error of ours.

    Args:
        what: What the payload should be.

    Raises:
        Misconfigured: It is not that.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"the payload is no {what}: {type(error).__name__}: {error}",
            hint="services call this function; the command line has verbs for people",
        ) from error


def text(record: Mapping[str, object], name: str) -> str:
    """A field that is a string.

    Raises:
        LookupError, TypeError: It is missing, or none.
    """
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is a string, not {value!r:.100}")
    return value


def check_text(payload: object) -> None:
    """Refuse text that has no bytes, and so names nothing that is stored.

    Raises:
        Misconfigured: The payload holds a lone surrogate.
    """
    try:
        json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Misconfigured(
            "the payload holds a lone surrogate, which is no UTF-8",
            hint="write machine ids and keys as plain UTF-8",
        ) from None
