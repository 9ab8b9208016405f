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
from blockfold.domain.state import Source


def fold(entries: dict[str, Canonical], block: Block) -> None:
    """Bring a whole state forward by the changes that a block recorded; runs no user code."""
    for key, value in block.body.changes.items():
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value


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
                hint="blocks were lost: restore the Blocks table before sending more actions",
            )
        yield block
        after = block.number


def check_link(head: Head, block: Block) -> None:
    """Hold one block against its parent.

    Raises:
        Corrupted: See `chained`.
    """
    name = f"block {block.number} of machine {head.machine!r}"
    header = block.header
    for what, found, wanted in (
        ("format", header.format, FORMAT),
        ("machine", header.machine, head.machine),
        ("number", header.number, head.number + 1),
        ("parent", header.parent, head.hash),
        ("body hash", payload_hash(block.payload), header.body),
        ("digest of its sum", digest.digest_of(block.total), header.digest),
        ("ordinal", header.ordinal, head.ordinal),
    ):
        _agree(name, what, found, wanted)
    body = block.body
    _agree(name, "count of changes", header.changes, len(body.set) + len(body.deleted))
    _agree(name, "count of outcomes", header.outcomes, body.outcomes)
    kept = head.keys - len(body.deleted)
    if body.origin is None and not kept <= header.keys <= kept + len(body.set):
        raise Corrupted(f"{name}: its state cannot have {header.keys} keys")
    if header.time < head.time:
        raise Corrupted(f"{name} is older than its parent")


def _agree(name: str, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Corrupted(f"{name}: its {what} is {found}, expected {wanted}")


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

    def scan(self, prefix: str) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix, in key order."""
        return iter(sorted(each for each in self.entries.items() if each[0].startswith(prefix)))


def reexecute(machine: Machine, head: Head, source: Source, block: Block) -> Block:
    """The block that comes out when a recorded one is executed again: see `frames.rerun`."""
    return rerun(machine, head, source, block).again
