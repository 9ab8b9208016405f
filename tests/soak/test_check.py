"""What a soak holds against what: a right history passes, and each kind of damage is found."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from blockfold.domain.schedule import Schedule
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack
from tests.soak.actors import action
from tests.soak.check import ENDS, Book, Check
from tests.soak.ledger import Dumped, Ledger, Restored, Seen, Sent
from tests.strategies import message

COUNT = 3
BLOCKS = 8
FORK = "fork"


@dataclass
class Soaked:
    """A stack in memory after some history, and the ledger of it."""

    books: dict[str, Book]
    ledger: Ledger

    def found(self) -> list[str]:
        return Check(self.books, self.ledger, COUNT).run()

    def book(self, **changes: Any) -> None:
        self.books[MACHINE] = replace(self.books[MACHINE], **changes)


@pytest.fixture
def soaked() -> Soaked:
    """Actions, an undone restore, a fork with an action of its own, dumps, reads."""
    stack = Stack(schedule=Schedule.new(COUNT))
    ledger = Ledger(io.StringIO())
    chance = random.Random(5)

    def push(machine: str, count: int) -> None:
        stack.pushed += 1
        number = stack.pushed
        actions = [action(chance, f"a-{number}-{each}") for each in range(count)]
        sent = message(number, actions)
        folded = stack.executor().fold(machine, [sent], deadline=NEVER)
        assert folded.error is folded.flush_error is None
        names = tuple(each["id"] for each in actions)
        ledger.note(Sent(machine, sent.id, sent.sequence, names))

    def restore(block: int, machine: str) -> None:
        ledger.ask(MACHINE, block, machine)
        done = stack.restore(block, fork=machine if machine != MACHINE else None)
        ledger.note(
            Restored(
                MACHINE,
                block,
                machine,
                done.block.number,
                done.block.hash,
                done.block.header.digest,
            )
        )

    for each in range(BLOCKS):
        push(MACHINE, 1 + each % 3)
    restore(4, MACHINE)
    push(MACHINE, 2)
    restore(6, FORK)
    push(FORK, 1)
    for machine in (MACHINE, FORK):
        stack.dumper().make_due(machine, stack.head(machine), deadline=NEVER)
        view = stack.reader().state(machine)
        ledger.note(Seen(machine, view.number, view.digest, stack.stored(machine)))
    digest = stack.blocks()[4].header.digest
    ledger.note(Seen(MACHINE, 5, digest, stack.state_at(5)))
    stack.dumper().dump_now(MACHINE, 4)
    ledger.note(Dumped(MACHINE, 4))
    ledger.block(MACHINE, 2, stack.blocks()[1].hash)
    books = {
        machine: Book(
            machine,
            stack.machines.get(machine),
            stack.blocks(machine),
            stack.stored(machine),
            stack.taken(machine),
        )
        for machine in (FORK, MACHINE)
    }
    return Soaked(books, ledger)


def test_a_right_history_is_right(soaked: Soaked) -> None:
    assert soaked.found() == []


def _lose_action(it: Soaked) -> None:
    it.ledger.note(Sent(MACHINE, "lost", "4", ("lost-1",)))


def _double_action(it: Soaked) -> None:
    del it.ledger.sent[2]


def _swap(it: Soaked) -> None:
    one, two = it.ledger.sent[1:3]
    it.ledger.sent[1:3] = [
        replace(one, sequence=two.sequence),
        replace(two, sequence=one.sequence),
    ]


def _other_row(it: Soaked) -> None:
    it.book(rows={**it.books[MACHINE].rows, "last": "other"})


def _lag(it: Soaked) -> None:
    record = it.books[MACHINE].record
    assert record is not None
    it.book(record=replace(record, flushed=5))


def _lose_snapshot(it: Soaked) -> None:
    it.book(snapshots=[each for each in it.books[MACHINE].snapshots if each != 6])


def _lose_dump(it: Soaked) -> None:
    it.book(snapshots=[each for each in it.books[MACHINE].snapshots if each != 4])


def _lose_restore(it: Soaked) -> None:
    it.ledger.note(replace(it.ledger.restored[0], block=3))


def _restore_unasked(it: Soaked) -> None:
    it.ledger.asked.discard((MACHINE, 4, MACHINE))


def _stale_read(it: Soaked) -> None:
    it.ledger.note(replace(it.ledger.seen[-1], number=6))


def _wrong_digest(it: Soaked) -> None:
    it.ledger.note(replace(it.ledger.seen[-1], digest="0" * 64))


def _rewrite(it: Soaked) -> None:
    it.ledger.block(MACHINE, 3, "0" * 64)


def _lose_block(it: Soaked) -> None:
    blocks = it.books[MACHINE].blocks
    it.book(blocks=[*blocks[:6], *blocks[7:]])


def _lose_machine(it: Soaked) -> None:
    del it.books[FORK]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_lose_action, "1 actions lost"),
        (_double_action, "actions twice or unknown"),
        (_swap, "out of order"),
        (_other_row, "the table has last as 'other'"),
        (_lag, "flushed up to 5 of"),
        (_lose_snapshot, "lacks snapshots [6]"),
        (_lose_dump, "lacks snapshots [4]"),
        (_lose_restore, "acknowledged and not there"),
        (_restore_unasked, "that nobody asked for"),
        (_stale_read, "a read of m at block 6 told"),
        (_wrong_digest, "told a wrong digest"),
        (_rewrite, "block 3 of m was read as"),
        (_lose_block, "has block 8 where 7 should be"),
        (_lose_machine, "fork has acknowledged actions and no blocks"),
    ],
)
def test_damage_is_found(soaked: Soaked, damage: Callable[[Soaked], None], what: str) -> None:
    damage(soaked)
    assert any(what in each for each in soaked.found()), soaked.found()


def test_a_wrong_outcome_is_found(soaked: Soaked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's word counts: if it says otherwise, the blocks are wrong."""
    monkeypatch.setitem(ENDS, "apply", "rejected")
    assert any("is applied: None" in each for each in soaked.found())


def test_a_wrong_change_is_found(soaked: Soaked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.soak.check.model_run", lambda before, args: {**before, "x": 1})
    assert any("changed x as 'absent' instead of 1" in each for each in soaked.found())


def test_a_block_with_two_hashes_is_found_at_once() -> None:
    ledger = Ledger(io.StringIO())
    ledger.block("m", 1, "a")
    ledger.block("m", 1, "a")
    assert ledger.violations == []
    ledger.block("m", 1, "b")
    assert ledger.violations == ["block 1 of m was a, then b"]
