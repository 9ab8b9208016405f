"""A fork of a machine in another stack: its state is copied, its parent named."""

from __future__ import annotations

from contextlib import suppress

import pytest

from blockfold.application.import_state import Importer
from blockfold.application.plan import Target
from blockfold.application.travel import Traveller
from blockfold.domain.errors import Corrupted, Refused
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Killed, Moment, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put


def parent() -> Stack:
    stack = Stack(schedule=Schedule.new(3))
    stack.grow(8)
    stack.dumper().make_due(MACHINE, 8, deadline=NEVER)
    return stack


def copied(source: Stack, target: Stack, number: int, fork: str) -> str:
    block = source.log.get(MACHINE, number)
    assert block is not None
    _, entries = Traveller(source.log, source.snapshots).entries(MACHINE, number)
    return Importer(target.log, target.snapshots).upload_block(fork, block, entries).key


@pytest.mark.parametrize("number", [1, 6, 8])
def test_the_fork_has_the_state_and_names_its_parent(number: int) -> None:
    source, target = parent(), Stack(schedule=Schedule.new(2))
    key = copied(source, target, number, "copy")
    done = target.restorer().carry_out(Target("copy", imported=key), deadline=NEVER)
    block = source.blocks()[number - 1]
    origin = done.block.body.origin
    assert origin is not None
    assert (origin.kind, origin.machine, origin.number, origin.hash) == (
        "fork",
        MACHINE,
        number,
        block.hash,
    )
    assert target.stored("copy") == source.state_at(number)
    assert done.block.header.digest == block.header.digest
    target.assert_whole("copy")
    target.grow(3, "copy")
    target.assert_whole("copy")


def test_a_machine_of_the_parents_id_is_not_touched() -> None:
    source, target = parent(), Stack()
    target.run(put("own", 1))
    key = copied(source, target, 6, "copy")
    target.restorer().carry_out(Target("copy", imported=key), deadline=NEVER)
    assert target.stored() == {"own": 1}
    assert target.taken() == []
    target.assert_whole()
    target.assert_whole("copy")


def test_an_existing_machine_is_refused_and_nothing_stored() -> None:
    source, target = parent(), Stack()
    target.run(put("own", 1))
    before = target.contents()
    with pytest.raises(Refused, match="exists already"):
        copied(source, target, 6, MACHINE)
    assert target.contents() == before


def test_entries_of_another_block_are_refused() -> None:
    source, target = parent(), Stack()
    block = source.blocks()[5]
    _, entries = Traveller(source.log, source.snapshots).entries(MACHINE, 7)
    with pytest.raises(Corrupted):
        Importer(target.log, target.snapshots).upload_block("copy", block, entries)
    assert not [each for each in target.objects.list("") if "/pinned/" in each.key]


def attempt(target: Stack, faults: Faults) -> None:
    source = parent()
    block = source.blocks()[5]
    _, entries = Traveller(source.log, source.snapshots).entries(MACHINE, 6)
    importer = Importer(faulty("log", target.log, faults), target._snapshots(faults))
    key = importer.upload_block("copy", block, entries).key
    target.restorer(faults).carry_out(Target("copy", imported=key), deadline=NEVER)


STEPS = Faults()
attempt(Stack(), STEPS)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(len(STEPS.steps)))
def test_killed_anywhere_and_run_again(position: int, moment: Moment) -> None:
    target = Stack()
    with pytest.raises(Killed):
        attempt(target, Faults(at=[position], moment=moment))
    with suppress(Refused):  # it may have been finished: the kill came after the last write
        attempt(target, Faults())
    assert target.stored("copy") == parent().state_at(6)
    target.assert_whole("copy")
