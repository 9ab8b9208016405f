"""Names of chats as names that a machine can have."""

from __future__ import annotations

import hashlib
import unicodedata
from string import ascii_letters, digits, punctuation

from blockfold.application.push import MAX_MACHINE_CHARACTERS
from blockfold.domain.errors import Misconfigured

_PLAIN = frozenset((ascii_letters + digits + punctuation).replace("%", ""))
_SHORTENED = "%~"
"""Stands in no other id: there, two hexadecimal digits follow each percent sign."""


def machine_of(server: str) -> str:
    """The machine that remembers what is said on a server; two servers never share one.

    Letters, digits and punctuation of ASCII stand for themselves, all other bytes of UTF-8 and
    ``%`` are percent-encoded. What would be longer than a machine id may be is cut, and goes on
    with its SHA-256.

    Raises:
        Misconfigured: The name is empty or no text.
    """
    try:
        data = server.encode()
    except UnicodeEncodeError:
        data = b""
    if not data:
        raise Misconfigured(
            f"{server!r} cannot be a server's name", hint="name the server: --server NAME"
        )
    encoded = "".join(chr(each) if chr(each) in _PLAIN else f"%{each:02X}" for each in data)
    if len(encoded) <= MAX_MACHINE_CHARACTERS:
        return encoded
    end = _SHORTENED + hashlib.sha256(data).hexdigest()
    return encoded[: MAX_MACHINE_CHARACTERS - len(end)] + end


def folded(name: str) -> str:
    """The form in which names are compared: case, spaces and ways of writing an accent are one.

    It is computed here, not in the machine: Unicode's tables differ between versions of Python,
    and a reducer has to give the same block everywhere.
    """
    composed = unicodedata.normalize("NFC", " ".join(name.split()))
    return unicodedata.normalize("NFC", composed.casefold())
