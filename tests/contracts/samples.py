"""Blocks to store: linked, with true digests, and as large as asked for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from itertools import count
from random import Random

import msgspec

from blockfold.domain import digest
from blockfold.domain.block import Block, Body, Head, Mark, MessageRecord
from blockfold.domain.canonical import encode
from blockfold.domain.execute import seal

_machines = count(1)


def new_machine() -> str:
    """The id of a machine that no other test has, with characters that need care."""
    return f"rooms/{next(_machines)}:ä%2F.."


def noise(size: int, seed: int = 0) -> str:
    """Text of that many characters that hardly compresses."""
    return b64encode(Random(seed).randbytes(size)).decode()[:size]


def block_after(head: Head, text: str = "", *, message: str = "m1") -> Block:
    """A block that sets one key to a text; another message makes it another block."""
    key, value = f"key/{head.number}", encode(text)
    body = Body(
        messages=(MessageRecord(id=message, time=head.time + 1, actions=()),),
        set={key: msgspec.Raw(value)},
        marks=(Mark(queue="arn:queue", sequence=str(10**20 + head.number), sent=1),),
    )
    total = digest.replace(head.total, key, None, value)
    return seal(head, body, total=total, keys=head.keys + 1, time=head.time + 1, code="Sample/1")


def chain(machine: str, length: int, size: int = 0) -> Iterator[Block]:
    """Blocks 1 … length, each with a body of a little more than ``size`` bytes."""
    head = Head(machine=machine)
    for number in range(1, length + 1):
        block = block_after(head, noise(size, number))
        yield block
        head = block.head
