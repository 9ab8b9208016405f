"""Train a dictionary for bodies of blocks: ``python -m bench.dictionary FILE ID``.

The samples are blocks of the machines that ship, from stacks of many names, accounts and regions:
what blocks of any machine share is learned, and no single workload by heart. The leaderboard is
left out, so that `bench.block_sizes` measures on what the dictionary has not seen.

A dictionary that was released is never trained again: blocks are stored that need it.
"""

from __future__ import annotations

import itertools
import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import UUID

import zstandard

from blockfold import Machine, Message, execute
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.replay import EntriesSource, fold
from examples.httpx.history import commits
from machines.forest import Forest
from machines.ledger import Ledger
from machines.remember import Remember
from machines.repository import Repository

DICTIONARY_BYTES = 4096
"""Twice as large saves no hundredth more."""

SEGMENT = 256
"""Bytes of a piece of the samples that is taken over as one; found by trying 16 … 256."""

LEVEL = 6
BLOCKS = 400
"""Of each machine."""

PRODUCERS = 0.4
"""Share of the stacks whose senders are idempotent producers."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
REGIONS = (
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-2",
    "ap-northeast-1",
)
WORDS = (
    *("amber", "birch", "cedar", "delta", "ember", "flint", "grove"),
    *("heron", "ivory", "jade", "kite", "lotus", "maple", "nova"),
)

Asked = dict[str, object]


def forest(random: Random) -> Iterator[Asked]:
    """Trees."""
    while True:
        tree = f"{random.choice(WORDS)}-{random.randrange(300)}"
        kind = random.choice(("plant", "plant", "water", "water", "water", "cut"))
        args: Asked = {"tree": tree}
        if kind == "plant":
            args["species"] = random.choice(("oak", "pine"))
        elif kind == "water":
            args["litres"] = random.randrange(1, 60)
        yield {"type": kind, "args": args}


def ledger(random: Random) -> Iterator[Asked]:
    """Tokens and accounts."""
    names = [f"{word}{number}" for word in WORDS for number in range(9)]
    yield {"type": "issue", "args": {"symbol": "gold"}}
    for name in names:
        yield {"type": "open", "args": {"symbol": "gold", "account": name}}
        amount = random.randrange(100, 9_999)
        yield {"type": "mint", "args": {"symbol": "gold", "account": name, "amount": amount}}
    while True:
        source, target = random.sample(names, 2)
        args = {
            "symbol": "gold",
            "source": source,
            "target": target,
            "amount": random.randrange(50),
        }
        yield {"type": "transfer", "args": args}


def remember(random: Random) -> Iterator[Asked]:
    """What was said, and who played."""
    while True:
        user, game = random.choice(WORDS).title(), random.choice(WORDS)
        text = " ".join(random.choices(WORDS, k=random.randrange(2, 9)))
        said: list[Asked] = [
            {"type": "remember", "args": {"subject": game, "text": text, "user": user}},
            {"type": "forget", "args": {"subject": game, "user": user}},
            {"type": "start_play", "args": {"game": game, "user": user}},
            {"type": "stop_play", "args": {"user": user}},
        ]
        yield random.choice(said)


def repository(random: Random) -> Iterator[Asked]:
    """The history of httpx from a commit on."""
    history = commits()
    for commit in history[random.randrange(len(history) // 2) :]:
        yield from commit.actions


SOURCES = {Forest: forest, Ledger: ledger, Remember: remember, Repository: repository}


def messages(random: Random, asked: Iterator[Asked]) -> Iterator[Message]:
    """Messages of one stack as SQS delivers them: each with one action, or now and then a few."""
    stack = "".join(random.choice(WORDS).title() for _ in range(random.randrange(1, 3)))
    queue = (
        f"arn:aws:sqs:{random.choice(REGIONS)}:{random.randrange(10**11, 10**12)}:{stack}-"
        f"QueuesActionsE5F4A30C-{''.join(random.choices(ALPHABET, k=12))}.fifo"
    )
    role = "".join(random.choices(ALPHABET, k=16))
    sender = f"AROA{role}A:{random.choice(WORDS)}"
    sent = random.randrange(1_700_000_000_000, 2_000_000_000_000)
    sequence = random.randrange(188 * 10**17, 190 * 10**17)
    producer = (
        b64encode(random.randbytes(16), b"-_").decode() if random.random() < PRODUCERS else ""
    )
    for number in itertools.count(1):
        count = random.choice((1, 1, 1, 2))
        some = [action for _, action in zip(range(count), asked, strict=False)]
        if not some:
            return
        sent += random.randrange(1, 3_000)
        sequence += random.randrange(256, 70_000)
        yield Message(
            id=str(UUID(int=random.getrandbits(128), version=4)),
            body=json.dumps(some[0] if len(some) == 1 else some),
            queue=queue,
            sequence=str(sequence),
            sent=sent,
            sender=sender,
            producer=producer,
            count=number if producer else 0,
        )


def samples(random: Random) -> Iterator[Canonical]:
    """Bodies of blocks of each machine, forty from each stack."""
    for machine, source in SOURCES.items():
        for _ in range(BLOCKS // 40):
            queued = messages(random, source(random))
            yield from _blocks(machine(), random, queued, 40)


def _blocks(
    machine: Machine, random: Random, queued: Iterator[Message], count: int
) -> Iterator[Canonical]:
    head, entries = Head(machine="sample"), dict[str, Canonical]()
    for _ in range(count):
        size = random.choice((1, 3, 10, 10))
        batch = [message for _, message in zip(range(size), queued, strict=False)]
        if not batch:
            return
        block = execute(machine, head, EntriesSource(entries), batch)
        fold(entries, block)
        head = block.head
        yield block.payload


def main(file: str, id_: str) -> None:
    """Train it, and write it."""
    random = Random(8)  # noqa: S311 - the same samples each time
    taught: list[bytes | bytearray | memoryview] = [*samples(random)]
    dictionary = zstandard.train_dictionary(
        DICTIONARY_BYTES, taught, dict_id=int(id_), level=LEVEL, k=SEGMENT, d=8
    )
    Path(file).write_bytes(dictionary.as_bytes())
    sys.stdout.write(f"{file}: {len(dictionary.as_bytes()):,} bytes from {len(taught):,} blocks\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
