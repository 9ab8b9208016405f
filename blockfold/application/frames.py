"""Step through a block of the past: execute it again on the state before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from blockfold.application.history import Delta, History, origin_manifest
from blockfold.application.travel import (
    Traveller,
    overlaid,
    snapshot_entries,
    snapshot_values,
)
from blockfold.domain.apply import Guard, unguarded
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import NotFound
from blockfold.domain.frames import Rerun, rerun, with_states
from blockfold.domain.machine import Machine
from blockfold.domain.replay import check_link
from blockfold.domain.spans import FIRST
from blockfold.domain.state import Changes


@dataclass(frozen=True, slots=True)
class PastSource:
    """The state at a block of the past as a `Source`; each key is looked up once.

    Attributes:
        delta: The block: its nearest snapshot, and what changed since.
    """

    delta: Delta
    _known: Changes = field(default_factory=dict, init=False)

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        changes = self.delta.changes
        missing = [key for key in keys if key not in changes and key not in self._known]
        if missing and self.delta.base is not None:
            found = snapshot_values(self.delta.snapshots, self.delta.base, missing)
            self._known.update((key, found.get(key)) for key in missing)
        each = ((key, changes[key] if key in changes else self._known.get(key)) for key in keys)
        return {key: value for key, value in each if value is not None}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        below: Iterator[tuple[str, Canonical]] = iter(())
        snapshots, base = self.delta.snapshots, self.delta.base
        if base is not None and after:
            below = snapshots.scan(base, prefix, after=after)
        elif base is not None:
            below = snapshot_entries(snapshots, base, prefix)
        found = overlaid(below, self.delta.changes, prefix)
        return (entry for entry in found if entry[0] > after)


@dataclass(frozen=True, slots=True)
class Stepper:
    """Executes blocks of the past again, changing nothing.

    Attributes:
        traveller: Reads the past.
        guard: Bounds each reducer's time.
    """

    traveller: Traveller
    guard: Guard = unguarded

    def step(self, machine: str, number: int, code: Machine) -> Rerun:
        """A block executed again, action by action.

        A restore or fork block executes nothing: it comes back as it is, without frames.

        Args:
            machine: The machine's id.
            number: The block.
            code: The reducers.

        Raises:
            NotFound: There is no such block.
            Corrupted: Log or snapshots are damaged.
        """
        log, snapshots = self.traveller.log, self.traveller.snapshots
        block = log.get(machine, number) if number > 0 else None
        if block is None:
            raise NotFound(f"machine {machine!r} has no block {number}")
        history = History(log, snapshots)
        delta = history.since(machine, number - 1)
        history.forward(delta, number - 1)
        check_link(delta.head, block)
        if block.body.origin is not None:
            origin_manifest(snapshots, block)
            return Rerun(block, block, ())
        source = PastSource(delta)
        source.get_many(list(block.body.changes))  # most of what it needs, in one pass
        return rerun(code, delta.head, source, block, self.guard)

    def states(self, done: Rerun) -> Iterator[dict[str, Canonical]]:
        """The whole state after each frame; holds it in memory.

        Raises:
            Corrupted: Log or snapshots are damaged.
        """
        block: Block = done.block
        _, entries = self.traveller.entries(block.machine, block.number - 1)
        return (state for _, state in with_states(dict(entries), done.frames))
