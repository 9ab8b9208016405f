"""Re-execution and folding: what blocks did, done again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blockfold.domain import digest
from blockfold.domain.block import FORMAT, Block, Head, payload_hash
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.frames import rerun
from blockfold.domain.machine import Machine
from blockfold.domain.spans import FIRST
from blockfold.domain.state import Source


def fold(entries: dict[str, Canonical], block: Block) -> None:
    """Bring a whole state forward by the changes that a block recorded; runs no user code."""
    body = block.body
    for key, value in body.set.items():
        entries[key] = bytes(value)
    for key in body.deleted:
        entries.pop(key, None)


def chained(head: Head, blocks: Iterable[Block]) -> Iterator[Block]:
    """Pass blocks on while each follows the one before and is what its hashes say.

    Raises:
        Corrupted: A number is missing, a parent differs, a body is not the hashed one, or the
            header counts what the body does not hold.
    """
    for block in blocks:
        check_link(head, block)
        yield block
        head = block.head


def contiguous(machine: str, after: int, blocks: Iterable[Block]) -> Iterator[Block]:
    """Pass blocks on while their numbers go on from ``after`` without a gap.

    Raises:
        Corrupted: A number is missing.
    """
    for block in blocks:
        if block.number != after + 1:
            raise Corrupted(
                f"block {after + 1} of machine {machine!r} is missing: its log goes on with "
                f"block {block.number}",
                hint="blocks were lost: `blockfold rebuild` puts back what is archived",
            )
        yield block
        after = block.number


def check_link(head: Head, block: Block) -> None:
    """Hold one block against its parent.

    Raises:
        Corrupted: See `chained`.
    """
    header, body = block.header, block.body
    found = (
        header.format,
        header.machine,
        header.number,
        header.parent,
        payload_hash(block.payload),
        digest.digest_of(block.total),
        header.ordinal,
        header.changes,
        header.outcomes,
    )
    wanted = (
        FORMAT,
        head.machine,
        head.number + 1,
        head.hash,
        header.body,
        header.digest,
        head.ordinal,
        len(body.set) + len(body.deleted),
        body.outcomes,
    )
    if found != wanted:
        what, one, other = next(
            each for each in zip(_LINKED, found, wanted, strict=True) if each[1] != each[2]
        )
        raise _unlinked(head, block, f"its {what} is {one}, expected {other}")
    kept = head.keys - len(body.deleted)
    if body.origin is None and not kept <= header.keys <= kept + len(body.set):
        raise _unlinked(head, block, f"its state cannot have {header.keys} keys")
    if header.epoch < head.epoch:
        raise _unlinked(head, block, f"its epoch is {header.epoch}, its parent's {head.epoch}")
    if header.time < head.time:
        raise _unlinked(head, block, "it is older than its parent")


def _unlinked(head: Head, block: Block, why: str) -> Corrupted:
    return Corrupted(f"block {block.number} of machine {head.machine!r}: {why}")


_LINKED = (
    "format",
    "machine",
    "number",
    "parent",
    "body hash",
    "digest of its sum",
    "ordinal",
    "count of changes",
    "count of outcomes",
)
"""What `check_link` compares, in this order."""


def folded_total(entries: dict[str, Canonical], total: int, block: Block) -> int:
    """The sum after a block, from the state and sum before it and its recorded changes."""
    for key, value in block.body.changes.items():
        total = digest.replace(total, key, entries.get(key), value)
    return total


@dataclass(frozen=True, slots=True)
class EntriesSource:
    """A whole state in memory as a `Source`."""

    entries: dict[str, Canonical]

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self.entries.get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        return {key: self.entries[key] for key in keys if key in self.entries}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        found = (each for each in self.entries.items() if each[0].startswith(prefix))
        return iter(sorted(each for each in found if each[0] > after))


def reexecute(machine: Machine, head: Head, source: Source, block: Block) -> Block:
    """The block that comes out when a recorded one is executed again: see `frames.rerun`."""
    return rerun(machine, head, source, block).again
