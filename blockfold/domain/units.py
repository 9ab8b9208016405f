"""What AWS bills a request as, counted from the request itself.

DynamoDB: Developer Guide, "DynamoDB item sizes and formats" and "Read and write operations". SQS:
its pricing page, "FIFO queues". Emulators report some of it otherwise, so nothing here asks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KB = 1024

WRITE_BYTES = KB
"""What a write unit covers."""

READ_BYTES = 4 * KB
"""What a read unit covers."""

SQS_BYTES = 64 * KB
"""What a request to SQS covers; a larger one counts as several."""


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Size of an item in DynamoDB's notation (``{"S": …}``): names and values.

    Lists and maps have three bytes of their own and one for each element; a number has about one
    byte for two digits, and one more.
    """
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """Size of one attribute's value in DynamoDB's notation."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "N":
        return len(content) // 2 + 2
    if kind in {"BOOL", "NULL"}:
        return 1
    if kind == "L":
        return 3 + sum(1 + value_bytes(each) for each in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + value_bytes(each) for name, each in content.items())
    single = kind[0]
    return sum(value_bytes({single: each}) for each in content)


def write_units(size: int) -> int:
    """Write units of a standard write: one for each started KB of the larger of old and new item.

    A conditional write that fails takes them, too. In a transaction it takes twice as many.
    """
    return max(1, -(-size // WRITE_BYTES))


def read_units(size: int, *, consistent: bool = True) -> float:
    """Read units of a GetItem, or of all items of a Query together; half as many if eventual."""
    units = max(1, -(-size // READ_BYTES))
    return float(units) if consistent else units / 2


def sqs_requests(size: int) -> int:
    """Requests that SQS bills for one request with so many bytes of messages."""
    return max(1, -(-size // SQS_BYTES))
