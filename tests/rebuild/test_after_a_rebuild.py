"""What a rebuild leaves behind must not get into the way of the history that goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines
from blockfold.application.compact import Compactor
from blockfold.application.import_state import Importer
from blockfold.application.plan import Target
from blockfold.domain.errors import Corrupted, Refused
from tests.properties.histories import MACHINE, NEVER
from tests.rebuild.world import World
from tests.snapshots.stack import put


def grown() -> World:
    """Ten blocks, archived, with snapshots of 4 and 8."""
    world = World()
    world.grow(10)
    world.keep()
    return world


@pytest.mark.parametrize("only_blocks", [False, True])
def test_the_snapshot_of_a_lost_block_makes_way_for_its_successors(only_blocks: bool) -> None:
    world = grown()
    world.grow(2)
    assert [each.number for each in world.dumper().make_due(MACHINE, 12, deadline=NEVER)] == [12]
    if only_blocks:
        world.log = MemoryBlockLog()
    else:
        world.lose()
    assert world.rebuild().number == 10
    assert world.taken() == [4, 8]
    world.grow(8)
    made = world.dumper().make_due(MACHINE, world.head(), deadline=NEVER)
    assert [each.number for each in made] == [12, 16]
    world.restore(13)
    world.dumper().dump(MACHINE, world.head())
    world.keep()
    world.assert_whole()


def test_a_segment_that_comes_between_plan_and_rebuild_is_not_half_used() -> None:
    world = grown()
    world.grow(2)
    late = world.blocks()[-2:]
    world.lose()
    rebuilder = world.rebuilder()
    plan = rebuilder.plan(MACHINE)
    world.archive.write(late)
    with pytest.raises(Refused):
        rebuilder.carry_out(plan)
    assert world.rebuild().number == 12
    world.assert_whole()


def test_the_epoch_outlives_the_loss_of_the_record() -> None:
    world = grown()
    world.lose()
    world.rebuild()
    world.machines = MemoryMachines()
    block = world.run(put("after", 1), by=world.archived_executor())
    assert block.header.epoch == 1
    world.keep()
    world.assert_whole()


def test_blocks_of_an_ended_epoch_are_told_and_a_rebuild_takes_them_back() -> None:
    """An executor that knew no archive went on in the old epoch."""
    world = grown()
    world.lose()
    world.rebuild()
    world.machines = MemoryMachines()
    assert world.run(put("after", 1), by=world.executor()).header.epoch == 0
    world.archive.write(world.blocks()[-1:])
    compactor = Compactor(world.log, world.archive, world.machines, world.clock)
    with pytest.raises(Corrupted, match=r"ended before it .*rebuild"):
        compactor.compact(MACHINE, deadline=NEVER, upto_head=True)
    done = world.rebuild()
    assert (done.number, done.epoch) == (11, 2)
    world.run(put("again", 1), by=world.archived_executor())
    world.keep()
    world.assert_whole()
    world.lose()
    assert world.rebuild().number == 12
    assert world.stored()["after"] == 1


@pytest.mark.parametrize("way", ["fork", "import"])
def test_a_lost_machine_is_not_begun_anew_by_a_fork_or_an_import(way: str) -> None:
    world = grown()
    world.grow(3, "other")
    world.keep("other")
    log, machines = world.log, world.machines
    world.log, world.machines = MemoryBlockLog(), MemoryMachines()
    for block in log.read("other", 1):
        world.log.append(block)
    record = machines.get("other")
    assert record is not None
    world.machines.put(record)
    before = world.bucket()
    restorer = replace(world.restorer(), archive=world.archive)
    ways: dict[str, Callable[[], object]] = {
        "fork": lambda: restorer.carry_out(Target("other", block=2, fork=MACHINE), deadline=NEVER),
        "import": lambda: Importer(world.log, world.snapshots, world.archive).check(MACHINE),
    }
    with pytest.raises(Corrupted, match="they were lost"):
        ways[way]()
    assert world.head() == 0
    assert world.bucket() == before
    world.rebuild()
    assert world.head() == 10
