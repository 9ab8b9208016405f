"""After a soak: the stores held against what was acknowledged, and against a plain model.

The model knows nothing of the product but what `Cells` does. It goes through each machine's blocks,
takes from them only which messages stand where and which block a restore brought back, and must
come to every outcome, change and state that anybody saw.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blockfold.domain.block import ActionRecord, Block
from blockfold.domain.canonical import Json, decode
from blockfold.ports import MachineRecord
from tests.machines_for_tests import model_run
from tests.soak.ledger import Ledger, Seen

Entries = dict[str, Json]
ENDS = {"apply": "applied", "reject": "rejected", "crash": "failed"}
SHOWN = 8


@dataclass(frozen=True)
class Book:
    """All that the stores hold of one machine, in the end.

    Attributes:
        record: Its record; None if it has none.
        blocks: Its blocks from 1 on.
        rows: Its rows in the state table, without tombstones.
        snapshots: Numbers of its snapshots.
    """

    machine: str
    record: MachineRecord | None
    blocks: Sequence[Block]
    rows: Entries
    snapshots: Sequence[int]


@dataclass
class Check:
    """Holds books against a ledger.

    Attributes:
        books: By machine.
        ledger: What the world outside knows.
        count: Every how many blocks a machine is dumped that nobody told otherwise.
        states: The model's state after each block, by machine; index 0 is before the first.
        found: What is wrong.
    """

    books: Mapping[str, Book]
    ledger: Ledger
    count: int
    states: dict[str, list[Entries]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        """All violations."""
        for machine in self.books:
            self._walk(machine)
            self._actions(machine)
            self._table(machine)
            self._snapshots(machine)
        for machine in {each.machine for each in self.ledger.sent} - self.books.keys():
            self.found.append(f"{machine} has acknowledged actions and no blocks")
        self._restores()
        self._reads()
        return self.found

    def _walk(self, machine: str) -> None:
        """The model's states after each block, and all that a block says against it."""
        if machine in self.states:
            return
        states: list[Entries] = [{}]
        self.states[machine] = states
        parent = None
        for expected, block in enumerate(self.books[machine].blocks, 1):
            if block.number != expected:
                self.found.append(f"{machine} has block {block.number} where {expected} should be")
                return
            if parent is not None and block.header.parent != parent.hash:
                self.found.append(f"{machine}: block {block.number} is no child of the one before")
            states.append(self._after(block, states))
            parent = block

    def _after(self, block: Block, states: list[Entries]) -> Entries:
        name = f"{block.machine}: block {block.number}"
        origin = block.body.origin
        if origin is not None:
            if (origin.machine, origin.number, block.machine) not in self.ledger.asked:
                self.found.append(f"{name} is a {origin.text} that nobody asked for")
            if origin.machine not in self.books:
                self.found.append(f"{name} is a {origin.text}, which has no blocks")
                return {}
            self._walk(origin.machine)
            source = states if origin.machine == block.machine else self.states[origin.machine]
            if origin.number < len(source):
                return source[origin.number]
            self.found.append(f"{name} is a {origin.text}, which is not there")
            return {}
        before = after = states[-1]
        for _, _, action in block.body.actions:
            after = self._step(name, after, action)
        recorded = {key: decode(bytes(value)) for key, value in block.body.set.items()}
        folded = {k: v for k, v in (before | recorded).items() if k not in block.body.deleted}
        if folded != after:
            self.found.append(f"{name} changed {_difference(after, folded)}")
        return after

    def _step(self, name: str, before: Entries, action: ActionRecord) -> Entries:
        args: dict[str, Any] = json.loads(bytes(action.args))
        if action.outcome == "failed" and action.environment:
            self.ledger.count("actions that ran out of time")
            return before
        if action.outcome != ENDS[args.get("end", "apply")]:
            self.found.append(f"{name}: {action.id} is {action.outcome}: {action.reason}")
        return model_run(before, args)

    def _actions(self, machine: str) -> None:
        """Every acknowledged action once, in the queue's order."""
        sent = [each for each in self.ledger.sent if each.machine == machine]
        sent.sort(key=lambda each: int(each.sequence))
        expected = [(each.message, name) for each in sent for name in each.actions]
        recorded = [
            (message.id, action.id or "")
            for block in self.books[machine].blocks
            for message, _, action in block.body.actions
        ]
        if recorded == expected:
            return
        wanted, there = Counter(expected), Counter(recorded)
        lost, more = [*(wanted - there)], [*(there - wanted)]
        if lost:
            self.found.append(f"{machine}: {len(lost)} actions lost: {lost[:SHOWN]}")
        if more:
            self.found.append(f"{machine}: {len(more)} actions twice or unknown: {more[:SHOWN]}")
        if not lost and not more:
            pairs = zip(expected, recorded, strict=True)
            first = next(pair for pair in pairs if pair[0] != pair[1])
            self.found.append(f"{machine}: out of order, first {first[1]} instead of {first[0]}")

    def _table(self, machine: str) -> None:
        book, states = self.books[machine], self.states[machine]
        if book.rows != states[-1]:
            self.found.append(f"{machine}: the table has {_difference(states[-1], book.rows)}")
        flushed = book.record.flushed if book.record else 0
        if flushed != len(book.blocks):
            self.found.append(f"{machine} is flushed up to {flushed} of {len(book.blocks)}")

    def _snapshots(self, machine: str) -> None:
        """Those that are due and those that were acknowledged, but for what retention removed."""
        book = self.books[machine]
        if book.record is None:
            self.found.append(f"{machine} has no record")
            return
        missing = set(book.record.schedule.due_between(1, len(book.blocks)))
        missing |= {each.number for each in self.ledger.dumped if each.machine == machine}
        settings = book.record.schedule.settings
        if len(settings) == 1 and settings[0].count == self.count:
            missing |= set(range(self.count, len(book.blocks) + 1, self.count))
        missing -= set(book.snapshots)
        if lost := sorted(each for each in missing if each > book.record.thinned):
            self.found.append(f"{machine} lacks snapshots {lost[:SHOWN]}")

    def _restores(self) -> None:
        for each in self.ledger.restored:
            blocks = self.books[each.machine].blocks if each.machine in self.books else ()
            block = blocks[each.number - 1] if 0 < each.number <= len(blocks) else None
            origin = block.body.origin if block else None
            if (
                block is None
                or origin is None
                or (block.hash, block.header.digest) != (each.hash, each.digest)
                or (origin.machine, origin.number) != (each.source, each.block)
            ):
                self.found.append(f"acknowledged and not there: {each}")

    def _reads(self) -> None:
        for (machine, number), known in self.ledger.hashes.items():
            blocks = self.books[machine].blocks if machine in self.books else ()
            if number > len(blocks) or blocks[number - 1].hash != known:
                self.found.append(f"block {number} of {machine} was read as {known}, and is not")
        for seen in self.ledger.seen:
            self.found.extend(self._read(seen))

    def _read(self, seen: Seen) -> Iterator[str]:
        states = self.states.get(seen.machine, [{}])
        if seen.number >= len(states):
            yield f"{seen.machine} was read at block {seen.number}, which is not there"
            return
        state = states[seen.number]
        if seen.key is not None:
            state = {key: value for key, value in state.items() if key == seen.key}
        if seen.entries != state:
            difference = _difference(state, seen.entries)
            yield f"a read of {seen.machine} at block {seen.number} told {difference}"
        if seen.number:
            digest = self.books[seen.machine].blocks[seen.number - 1].header.digest
            if seen.digest != digest:
                yield f"a read of {seen.machine} at block {seen.number} told a wrong digest"


def _difference(right: Entries, wrong: Entries) -> str:
    keys = [key for key in sorted(right | wrong) if right.get(key, ...) != wrong.get(key, ...)]
    return "; ".join(
        f"{key} as {wrong.get(key, 'absent')!r} instead of {right.get(key, 'absent')!r}"
        for key in keys[:SHOWN]
    )
